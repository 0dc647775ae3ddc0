//! Signs, verifies, sends, receives, records and replays the deliveries of Scrupp's webhooks.

#![forbid(unsafe_code)]

mod cause;
mod client;
mod completions;
mod doctor;
mod explain;
mod gateway;
mod input;
mod listen;
mod output;
mod recording;
mod replay;
mod secrets;
mod send;
mod server;
mod sign;
mod store;
mod verify;

use std::process::ExitCode;

use clap::{
    CommandFactory, FromArgMatches, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use tokio::runtime::Builder;

use crate::output::{Error, Format, note};

const EXIT_CODES: &str = "\
Exit codes:
  0    as expected
  1    not as expected: a delivery is not genuine, or a response is not the expected one
  2    wrong usage
  3    could not be done: a file, an address or a receiver is not available
  130  interrupted";

const NO_SECRET: &str = "\
error: there is no --secret, because every process of this machine can read a command line: use
--secret-file or --secret-env";

/// Signs, verifies, sends, receives, records and replays the deliveries of Scrupp's webhooks.
#[derive(Parser)]
#[command(name = "scrupp-verify", version)]
struct Cli {
    /// Format of standard output: text, or one JSON value a line
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Sign(sign::Args),
    Verify(verify::Args),
    Send(send::Args),
    Listen(listen::Args),
    Replay(replay::Args),
    Doctor(Box<doctor::Args>),
    Gateway(gateway::Args),
    Explain(explain::Args),
    Completions(completions::Args),
}

fn main() -> ExitCode {
    let matches = command().try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidArg)
                && name == "--secret"
            {
                note(NO_SECRET);
                return ExitCode::from(2);
            }
            error.exit();
        }
    };
    let format = cli.format;
    let ended = match cli.command {
        Command::Sign(args) => args.run(format),
        Command::Verify(args) => args.run(format),
        Command::Send(args) => block_on(args.run(format)),
        Command::Listen(args) => block_on(args.run(format)),
        Command::Replay(args) => block_on(args.run(format)),
        Command::Doctor(args) => block_on(args.run(format)),
        Command::Gateway(args) => on_runtime(args.run(format)),
        Command::Explain(args) => args.run(format),
        Command::Completions(args) => args.run(),
    };
    let (why, code) = match ended {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => return ExitCode::from(1),
        Err(Error::Usage(why)) => (why, 2),
        Err(Error::Failed(why)) => (why, 3),
        Err(Error::Interrupted) => return ExitCode::from(130),
    };
    note(&format!("error: {why}"));
    ExitCode::from(code)
}

/// Runs a command that waits for others, until the user interrupts it.
fn block_on(command: impl Future<Output = Result<bool, Error>>) -> Result<bool, Error> {
    on_runtime(async {
        tokio::select! {
            // In this order: a command that reads standard input first can still be interrupted.
            biased;
            ended = command => ended,
            _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
        }
    })
}

/// Runs a command that ends itself if it is interrupted.
fn on_runtime(command: impl Future<Output = Result<bool, Error>>) -> Result<bool, Error> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Error::failed("Tokio runtime", why))?;
    let ended = runtime.block_on(command);
    // Do not wait for a name to be resolved.
    runtime.shutdown_background();
    ended
}

/// Returns the command line, with the exit codes in the help of every command.
fn command() -> clap::Command {
    let with_exit_codes = |command: clap::Command| {
        let help = match command.get_after_help() {
            Some(examples) => format!("{examples}\n\n{EXIT_CODES}"),
            None => EXIT_CODES.to_owned(),
        };
        command.after_help(help)
    };
    with_exit_codes(Cli::command()).mut_subcommands(with_exit_codes)
}
