//! Errors with their causes.

use core::{error::Error, iter::successors};
use std::process::ExitCode;

/// Returns the messages of an error and its causes, separated by colons. Leaves out a cause that its error
/// already ends with.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
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
#[must_use]
pub fn exit_code(ended: Result<(), Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use core::fmt;

    use super::*;

    #[derive(Debug)]
    struct Failure(&'static str, Option<Box<Self>>);

    impl fmt::Display for Failure {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failure {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn has_the_message_of_each_cause_once() {
        let disk = Failure("disk full", None);
        let commit = Failure("cannot commit: disk full", Some(Box::new(disk)));
        let delivery = Failure("not stored", Some(Box::new(commit)));
        assert_eq!(
            with_causes(&delivery),
            "not stored: cannot commit: disk full"
        );
    }
}
