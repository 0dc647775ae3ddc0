use core::error::Error;

/// Returns the text of an error, followed by the texts of its causes: `error: cause: cause`.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors already end with the text of their cause.
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use sqlx::Error;

    use super::error_chain;

    #[test]
    fn has_the_text_of_each_cause_once() {
        let cause = io::Error::other("disk full");
        let error = Error::Configuration(Box::new(Error::Io(cause)));
        assert_eq!(
            error_chain(&error),
            "error with configuration: error communicating with database: disk full",
        );
        let proxy = reqwest::Proxy::all("http://").unwrap_err();
        let text = error_chain(&proxy);
        assert!(text.starts_with("builder error: "), "{text}");
    }
}
