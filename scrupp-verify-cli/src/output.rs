//! Output of commands: data on standard output, everything else on standard error.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

/// Style of good news, where the output is a terminal.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Style of bad news.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// Format of standard output.
#[derive(Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Human,
    Json,
}

/// Reason why a command does not reach its end. Never holds a secret.
pub(crate) enum Error {
    /// The command line or a setting is wrong.
    Usage(String),
    /// Something outside of the program does not work.
    Failed(String),
    /// The user interrupted the command.
    Interrupted,
}

impl Error {
    /// Returns an error with the name of what failed.
    pub(crate) fn failed(what: impl core::fmt::Display, why: impl core::fmt::Display) -> Self {
        Self::Failed(format!("{what}: {why}"))
    }
}

impl Format {
    /// Writes one result to standard output: its text, or its JSON on one line.
    pub(crate) fn write(self, text: &str, json: &Value) -> Result<(), Error> {
        match self {
            Self::Human => write(text),
            Self::Json => write(&json.to_string()),
        }
    }
}

/// Writes lines to standard output. Styles are removed unless it is a terminal.
pub(crate) fn write(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout();
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    written.map_err(|why| Error::failed("standard output", why))
}

/// Writes a line to standard error, if possible.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Returns a text from the network without control characters, which could steer a terminal.
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
