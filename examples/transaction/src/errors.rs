//! Formatting of errors, and the exit code of a program.

use core::{error::Error, iter::successors};
use std::process::ExitCode;

/// Formats an error and its causes, separated by colons. Omits a cause if the text already ends with it.
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

/// Returns exit code 0, or prints the error to standard error and returns exit code 2.
pub(crate) fn exit_code(ended: Result<(), Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::from(2)
        }
    }
}
