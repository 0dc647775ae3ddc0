use core::time::Duration;
use std::path::PathBuf;

use scrupp_verify_core::UnixTime;
use serde_json::json;

use crate::{
    input::{self, is_stdin},
    output::{Error, Format},
    secrets::Secrets,
};

/// Prints the two headers of a signed delivery.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify sign event.json
  scrupp-verify sign --age 310s event.json            signs a stale delivery
  scrupp-verify sign --output curl event.json         prints a command that sends the delivery
  printf '{}' | scrupp-verify sign --secret-file key.txt -")]
pub(crate) struct Args {
    /// File with the body, or - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Signs with a timestamp of this age, such as 310s or 6m
    #[arg(long, value_parser = humantime::parse_duration, conflicts_with = "at")]
    age: Option<Duration>,
    /// Signs with this timestamp, in Unix seconds
    #[arg(long, value_name = "SECONDS")]
    at: Option<u64>,
    /// Prints the headers or a curl command
    #[arg(long, value_enum, default_value = "headers")]
    output: Output,
    #[command(flatten)]
    secrets: Secrets,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Output {
    Headers,
    Curl,
}

impl Args {
    pub(crate) fn run(self, format: Format) -> Result<bool, Error> {
        let signer = self.secrets.signer()?;
        let body = input::read(&self.file, &self.secrets)?;
        let time = match self.at {
            Some(secs) => UnixTime::from_secs(secs),
            None => input::time(self.age)?,
        };
        let signed = signer.sign(time, &body);
        let headers = [
            ("X-Scrupp-Timestamp", signed.timestamp()),
            ("X-Scrupp-Signature", signed.signature()),
        ];
        let [timestamp, signature] = headers.map(|(name, value)| format!("{name}: {value}"));
        match self.output {
            Output::Headers => {
                let json = headers.map(|(name, value)| (name.to_owned(), json!(value)));
                let json = json.into_iter().collect();
                format.write(&format!("{timestamp}\n{signature}"), &json)?;
            }
            Output::Curl => {
                let curl = format!(
                    "curl -i http://127.0.0.1:3000/webhooks/scrupp -H 'Content-Type: application/json' \
                     -H '{timestamp}' -H '{signature}' {}",
                    self.data(body)?
                );
                format.write(&curl, &json!({ "curl": curl }))?;
            }
        }
        Ok(true)
    }

    /// Returns the curl arguments that send the body unmodified.
    fn data(&self, body: Vec<u8>) -> Result<String, Error> {
        let (option, value) = if is_stdin(&self.file) {
            ("--data-raw", String::from_utf8(body).ok())
        } else {
            let file = self.file.to_str();
            ("--data-binary", file.map(|file| format!("@{file}")))
        };
        let is_text =
            |text: &String| !text.contains(|c: char| c.is_control() && !c.is_whitespace());
        let value = value.filter(is_text);
        let value = value.ok_or("--output curl: the body or its path is not text");
        let value = value.map_err(|why| Error::Usage(why.to_owned()))?;
        Ok(format!("{option} '{}'", value.replace('\'', r"'\''")))
    }
}
