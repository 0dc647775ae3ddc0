use clap::builder::PossibleValuesParser;
use scrupp_verify_core::{Rejection, RejectionKind};
use serde_json::json;

use crate::output::{Error, Format};

/// Explains the reason for a rejection, and suggests a remedy.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify explain too_old
  scrupp-verify explain signature_mismatch --format json")]
pub(crate) struct Args {
    /// Reason, as in the log and the metrics
    #[arg(value_parser = PossibleValuesParser::new(RejectionKind::ALL.iter().map(|kind| kind.as_str())))]
    kind: String,
}

impl Args {
    pub(crate) fn run(self, format: Format) -> Result<bool, Error> {
        let named = RejectionKind::ALL
            .iter()
            .find(|kind| kind.as_str() == self.kind);
        let kind = *named.ok_or(Error::Usage("unknown reason".to_owned()))?;
        let (status, remedy) = (Rejection::new(kind).status(), remedy(kind));
        let text = format!("{}: {kind}\nstatus: {status}\n{remedy}", self.kind);
        let json = json!({
            "kind": self.kind,
            "status": status,
            "meaning": kind.to_string(),
            "remedy": remedy,
        });
        format.write(&text, &json)?;
        Ok(true)
    }
}

/// Returns the remedy for a rejection.
fn remedy(kind: RejectionKind) -> &'static str {
    use RejectionKind as Kind;
    match kind {
        Kind::MissingSignature | Kind::MissingTimestamp => {
            "The request is not from Scrupp, or a proxy removes the header. Configure every proxy to \
             pass X-Scrupp-Signature and X-Scrupp-Timestamp."
        }
        Kind::RepeatedSignature | Kind::RepeatedTimestamp => {
            "A proxy or a test sends the header twice. Send each of the two headers exactly once, \
             because two receivers could read different values."
        }
        Kind::MalformedSignature => {
            "The signature must be sha256= in lower case, followed by 64 hex digits. Other schemes \
             use Base64, or omit the prefix."
        }
        Kind::MalformedTimestamp => {
            "The timestamp must be Unix time in seconds, in decimal digits without a sign, a leading \
             zero or a fraction."
        }
        Kind::TimestampInMilliseconds => {
            "Before signing, divide the time by 1000 and drop the fraction. Use the same digits in \
             the header and in the signed content."
        }
        Kind::TooOld => {
            "The timestamp is older than the tolerance, by default 300 s. If every delivery is too \
             old, the receiver's clock is ahead. Synchronize the clock. If only some deliveries are \
             too old, a queue or a proxy delays them, or an attacker replays them. A retry with the \
             timestamp of the first attempt is also too old."
        }
        Kind::InFuture => {
            "The timestamp is further ahead of the receiver's clock than the tolerance, by default \
             60 s. Synchronize the clock."
        }
        Kind::SignatureMismatch => {
            "The secret differs from the sender's, or the body or the timestamp was changed after \
             signing. Compare the secret with the first API key on the account's settings page. \
             Verify the raw body, before any parser. To find the cause, record the delivery with \
             `scrupp-verify listen --record FILE`, then run `scrupp-verify verify FILE`."
        }
        Kind::UnknownAccount => {
            "The receiver's account lookup finds no account for the request. Check the webhook URL \
             and the list of accounts."
        }
        Kind::BodyTooLarge => {
            "The body exceeds the body limit, by default 256 KiB. A documented event is about 200 \
             bytes long. Raise the limit if your `meta` is larger."
        }
        Kind::BodyTimeout => {
            "The body was not complete within the body timeout, by default 10 s. The network or a \
             proxy is slow, or the client sends slowly on purpose."
        }
        Kind::BodyBroken => {
            "The client closed the connection before the body was complete, or the framing of the \
             body is invalid. Scrupp sends the delivery again."
        }
        Kind::OverBudget => {
            "Other deliveries used the whole budget for unverified bodies for longer than the body \
             timeout. Look for slow uploads, or raise the budget."
        }
        Kind::RuntimeUnavailable => {
            "The receiver runs outside a Tokio runtime, or the runtime has no timer. Build the \
             runtime with `enable_all`."
        }
        Kind::ClockUnavailable => {
            "The receiver's system clock is before 1970, or its custom clock returned `None`. \
             Correct the clock."
        }
        Kind::SecretsUnavailable => {
            "The account lookup failed or timed out. The receiver's log has the error."
        }
        Kind::StoreUnavailable => {
            "The store failed, timed out or is full. The receiver's log has the error. Scrupp sends \
             the delivery again."
        }
        Kind::InFlight => {
            "Another attempt at the same delivery is in flight. Scrupp sends the delivery again. If \
             the rejection persists, a handler hangs, or a process ended without releasing its \
             claim. The claim expires with its lease, by default after 60 s."
        }
        Kind::NotVerified => {
            "The handler extracts a verified delivery, but `ScruppVerify` does not wrap its route. \
             Add the layer to the route."
        }
        Kind::NotClaimed => {
            "The handler extracts a claim, but its layer has no store. Add `dedup` to the layer."
        }
        Kind::NotAnEvent => {
            "The signature is valid, but the body is not an event. Every event has a name, and \
             `task.completed` also has a process id and a status. Extract the raw body instead of a \
             `ScruppEvent`, or correct the body in the test."
        }
        _ => "",
    }
}
