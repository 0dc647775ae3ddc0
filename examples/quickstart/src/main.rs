//! Sends deliveries to a receiver over HTTP, and prints the response to each.
//!
//! Run with `cargo run -p quickstart`. The program starts the receiver on a free port of `127.0.0.1`.

mod cases;
mod receiver;
mod sender;

use std::{
    env,
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
            mark(as_expected),
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

/// Returns a check mark or a cross. Uses colors on a terminal, unless `NO_COLOR` is set.
fn mark(as_expected: bool) -> &'static str {
    let color = stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
    match (as_expected, color) {
        (true, true) => "\x1b[32m✓\x1b[0m",
        (true, false) => "✓",
        (false, true) => "\x1b[31m✗\x1b[0m",
        (false, false) => "✗",
    }
}
