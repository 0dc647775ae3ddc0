//! Plays Scrupp against a receiver, over real HTTP on loopback, and shows what comes of each
//! delivery.
//!
//! Run with `cargo run -p quickstart`.

mod cases;
mod receiver;
mod sender;

use std::{
    error::Error,
    io::{IsTerminal, stdout},
    process::ExitCode,
};

use receiver::Receiver;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let receiver = Receiver::start().await?;
    println!(
        "a receiver with ScruppVerify listens on http://{}\n",
        receiver.address()
    );
    let paint = Paint::new();
    println!(
        "  {:<52} {:>8} {:>6}  handler",
        "delivery", "expected", "status"
    );

    let mut unexpected = 0;
    for case in cases::all() {
        let handled_before = receiver.handled();
        let status = sender::post(receiver.address(), &case.headers, case.body).await?;
        let ran = receiver.handled() > handled_before;
        let as_expected = (status, ran) == (case.status, case.runs);
        unexpected += usize::from(!as_expected);
        println!(
            "{} {:<52} {:>8} {:>6}  {}",
            if as_expected {
                paint.green("✓")
            } else {
                paint.red("✗")
            },
            case.name,
            case.status,
            status,
            if ran { "ran" } else { "did not run" },
        );
    }

    if unexpected > 0 {
        println!("\n{unexpected} not as expected");
        return Ok(ExitCode::FAILURE);
    }
    println!("\nall as expected");
    Ok(ExitCode::SUCCESS)
}

/// Colours, on a terminal.
struct Paint {
    colours: bool,
}

impl Paint {
    fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none();
        Self {
            colours: wanted && stdout().is_terminal(),
        }
    }

    fn green(&self, text: &str) -> String {
        self.with("32", text)
    }

    fn red(&self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(&self, colour: &str, text: &str) -> String {
        match self.colours {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}
