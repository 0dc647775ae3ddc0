//! Output of commands: data on standard output, everything else on standard error.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

/// Style of a success on a terminal.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Style of a failure on a terminal.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// Format of standard output.
#[derive(Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Human,
    Json,
}

/// Error that ends a command. Never contains a secret.
pub(crate) enum Error {
    /// The arguments or a setting are invalid.
    Usage(String),
    /// A file, an address or a receiver is not available.
    Failed(String),
    /// The user interrupted the command.
    Interrupted,
}

impl Error {
    /// Creates an error that names the failed resource.
    pub(crate) fn failed(what: impl core::fmt::Display, why: impl core::fmt::Display) -> Self {
        Self::Failed(format!("{what}: {why}"))
    }
}

impl Format {
    /// Writes a result to standard output, as text or as one line of JSON.
    pub(crate) fn write(self, text: &str, json: &Value) -> Result<(), Error> {
        match self {
            Self::Human => write(text),
            Self::Json => write(&json.to_string()),
        }
    }
}

/// Writes text to standard output. Removes styles unless the output is a terminal.
pub(crate) fn write(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout();
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    written.map_err(|why| Error::failed("standard output", why))
}

/// Writes text to standard error. Ignores errors.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Replaces control characters in text from the network, because they could control a terminal.
pub(crate) fn printable(text: &str) -> String {
    let is_safe = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    let safe = |c| {
        if is_safe(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    text.chars().map(safe).collect()
}
