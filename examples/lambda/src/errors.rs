//! Errors with their causes.

use core::{error::Error, iter::successors};
use std::process::ExitCode;

/// Returns the messages of an error and its causes, separated by colons. Leaves out a cause that its error
/// already ends with.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        match text.ends_with(&cause) {
            true => text,
            false => format!("{text}: {cause}"),
        }
    })
}

/// Prints the error that a program ends with, and returns the program's exit code: 0 or 2.
pub(crate) fn exit_code(ended: Result<(), Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::from(2)
        }
    }
}
