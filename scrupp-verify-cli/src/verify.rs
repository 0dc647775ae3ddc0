use core::{fmt::Write, time::Duration};
use std::path::PathBuf;

use scrupp_verify_core::{
    ConfigError, Headers, Keyring, Policy, RejectionKind, SIGNATURE_HEADER, Secret,
    TIMESTAMP_HEADER, Tolerance, UnixTime,
};
use serde_json::json;

use crate::{
    cause::{self, Cause},
    input,
    output::{BAD, Error, Format, GOOD, note},
    recording::{self, Recorded},
    secrets::Secrets,
};

/// Verifies recorded deliveries, and finds the cause of a signature mismatch.
///
/// The file is a recording of `listen` or a raw HTTP request. With --timestamp or --signature, the file is
/// the body.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify verify --ignore-age deliveries.ndjson
  scrupp-verify verify --now 1735471805 request.http
  scrupp-verify verify --timestamp 1735471800 --signature sha256=… body.json --format json")]
pub(crate) struct Args {
    /// Recording, raw HTTP request or body, or - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Value of X-Scrupp-Timestamp
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<String>,
    /// Value of X-Scrupp-Signature
    #[arg(long)]
    signature: Option<String>,
    /// Time of the verification, in Unix seconds. By default, the current time
    #[arg(long, value_name = "SECONDS")]
    now: Option<u64>,
    /// Accepts timestamps of any age
    #[arg(long)]
    ignore_age: bool,
    #[command(flatten)]
    secrets: Secrets,
}

impl Args {
    pub(crate) fn run(self, format: Format) -> Result<bool, Error> {
        let secrets = self.secrets.read()?;
        let keyring = keyring(&self.secrets, &secrets)?;
        let file = input::read(&self.file, &self.secrets)?;
        let now = match self.now {
            Some(secs) => UnixTime::from_secs(secs),
            None => input::time(None)?,
        };
        let mut policy = Policy::default();
        if self.ignore_age {
            policy = policy.tolerance(Tolerance::new(Duration::MAX, policy.tolerance.future()));
        }
        let parts = [
            ("X-Scrupp-Timestamp", &self.timestamp),
            ("X-Scrupp-Signature", &self.signature),
        ];
        let parts = parts
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        let headers: Vec<_> = parts.collect();
        let deliveries = match headers.is_empty() {
            true => recording::parse(&file)?,
            false => vec![Recorded {
                headers,
                body: file,
                ..Recorded::default()
            }],
        };
        let mut all_verified = true;
        for delivery in deliveries {
            let (headers, body) = (&delivery.headers[..], &delivery.body);
            let head = policy.check_head(headers, now);
            let verified = head.and_then(|head| match &keyring {
                Some(keyring) => Ok(*head.verify(keyring, body)?.verified()),
                None => Err(RejectionKind::SignatureMismatch.into()),
            });
            let (mut text, mut cause) = (String::new(), None);
            match &verified {
                Ok(verified) => {
                    let age = verified.age_secs();
                    let _ = write!(text, "{GOOD}verified{GOOD:#}: signed {age} s ago");
                }
                Err(rejection) => {
                    let kind = rejection.kind();
                    cause = find_cause(kind, headers, body, &secrets);
                    let _ = write!(text, "{BAD}rejected{BAD:#}: {}: {kind}", kind.as_str());
                    if let Some(secs) = rejection.age_secs() {
                        let _ = write!(text, "\nage: {secs} s; the signature was not checked");
                    }
                    if let Some(cause) = cause {
                        let _ = write!(text, "\ncause: {}: {}", cause.as_str(), cause.advice());
                    } else if kind == RejectionKind::SignatureMismatch {
                        text.push_str("\ncause: unknown: another secret, or a modified body");
                    }
                }
            }
            let json = json!({
                "verified": verified.is_ok(),
                "reason": verified.err().map(|rejection| rejection.kind().as_str()),
                "cause": cause.map(Cause::as_str),
            });
            format.write(&text, &json)?;
            all_verified &= verified.is_ok();
        }
        Ok(all_verified)
    }
}

/// Prepares the valid secrets. Returns `None` if every secret has whitespace or quotes around it.
///
/// Without a valid secret, no signature matches, and the whitespace or the quotes are the cause.
fn keyring(sources: &Secrets, secrets: &[Vec<u8>]) -> Result<Option<Keyring>, Error> {
    let mut accepted = Vec::new();
    for (index, secret) in secrets.iter().enumerate() {
        let source = sources.source(index);
        match Secret::new(secret) {
            Ok(secret) => accepted.push(secret),
            Err(why @ (ConfigError::SpaceAroundSecret | ConfigError::QuotedSecret(_))) => {
                note(&format!("warning: {source}: {why}"));
            }
            Err(why) => return Err(Error::Usage(format!("{source}: {why}"))),
        }
    }
    Ok(Keyring::new(accepted).ok())
}

fn find_cause(
    kind: RejectionKind,
    headers: &[(String, String)],
    body: &[u8],
    secrets: &[Vec<u8>],
) -> Option<Cause> {
    match kind {
        RejectionKind::TimestampInMilliseconds => Some(Cause::Milliseconds),
        RejectionKind::SignatureMismatch => {
            let timestamp = headers.values(TIMESTAMP_HEADER).next()?;
            let signature = headers.values(SIGNATURE_HEADER).next()?;
            cause::find(timestamp, signature, body, secrets)
        }
        _ => None,
    }
}
