//! Command-line tool for the webhooks of Scrupp.

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
  0    the result is as expected
  1    the result is not as expected: a delivery is not genuine, a response differs, or a check fails
  2    the arguments or a setting are invalid
  3    the command failed: a file, an address or a receiver is not available
  130  interrupted";

const NO_SECRET: &str = "\
error: --secret does not exist, because any process on this machine can read command lines
hint: use --secret-file or --secret-env";

/// Signs, verifies, sends, receives, records and replays deliveries of Scrupp's webhooks.
#[derive(Parser)]
#[command(name = "scrupp-verify", version)]
struct Cli {
    /// Format of standard output: text, or one JSON value per line
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

/// Runs a command until it completes or the user interrupts it.
fn block_on(command: impl Future<Output = Result<bool, Error>>) -> Result<bool, Error> {
    on_runtime(async {
        tokio::select! {
            // Polls the command first: until `ctrl_c` is polled, Ctrl-C still ends a blocking read of
            // standard input.
            biased;
            ended = command => ended,
            _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
        }
    })
}

/// Runs a command that handles interrupts itself.
fn on_runtime(command: impl Future<Output = Result<bool, Error>>) -> Result<bool, Error> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Error::failed("Tokio runtime", why))?;
    let ended = runtime.block_on(command);
    // Do not wait for a pending name resolution.
    runtime.shutdown_background();
    ended
}

/// Returns the command-line definition, with the exit codes in the help of every command.
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
