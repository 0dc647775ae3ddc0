use clap::builder::PossibleValuesParser;
use scrupp_verify_core::{Rejection, RejectionKind};
use serde_json::json;

use crate::output::{Error, Format};

/// Explains why a delivery is rejected, and what to do.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify explain too_old
  scrupp-verify explain signature_mismatch --format json")]
pub(crate) struct Args {
    /// Reason, as in logs and metrics
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

/// Returns what to do about a rejection.
fn remedy(kind: RejectionKind) -> &'static str {
    use RejectionKind as Kind;
    match kind {
        Kind::MissingSignature | Kind::MissingTimestamp => {
            "The request does not come from Scrupp, or a proxy removes the header. Let every proxy \
             pass X-Scrupp-Signature and X-Scrupp-Timestamp on."
        }
        Kind::RepeatedSignature | Kind::RepeatedTimestamp => {
            "A proxy or a test sends the header twice. Each of the two headers must occur exactly \
             once, because two receivers could read different values."
        }
        Kind::MalformedSignature => {
            "The signature must be sha256= in lower case and 64 hex digits. Other schemes use \
             Base64, or send the digits alone."
        }
        Kind::MalformedTimestamp => {
            "The timestamp must be Unix time in seconds: digits only, without a sign, a leading \
             zero or a fraction."
        }
        Kind::TimestampInMilliseconds => {
            "Divide the time by 1000 and drop the fraction before signing. Header and signed \
             content must have the same digits."
        }
        Kind::TooOld => {
            "The delivery was signed more than 300 s ago. If every delivery is too old, the clock \
             of the receiver is ahead: synchronize it. If only some are, a queue or a proxy holds \
             them too long, or they are replayed. Retries with their first timestamp stay too \
             old."
        }
        Kind::InFuture => {
            "The delivery was signed more than 60 s ahead of the receiver's clock. Synchronize the \
             clock of the receiver."
        }
        Kind::SignatureMismatch => {
            "The secret is not the sender's, or the body or the timestamp was changed after \
             signing. Compare the secret with the first API key on the account's settings page. \
             Verify the raw body, before any parser. To find the cause, record the delivery with \
             `scrupp-verify listen --record FILE`, then run `scrupp-verify verify FILE`."
        }
        Kind::UnknownAccount => {
            "The account lookup of the receiver finds no account for the request. Check the path \
             that the webhook URL has, and the list of accounts."
        }
        Kind::BodyTooLarge => {
            "A documented event has about 200 bytes, and the default limit is 256 KiB. Raise the \
             limit if your `meta` is larger."
        }
        Kind::BodyTimeout => {
            "The body was not complete within 10 s, the default. The network or a proxy is slow, \
             or the client sends slowly on purpose."
        }
        Kind::BodyBroken => {
            "The client closed the connection before the body was complete, or its framing is not \
             valid HTTP. Scrupp sends the delivery again."
        }
        Kind::OverBudget => {
            "Other bodies took the whole memory budget of the receiver for longer than the body \
             time-out. Look for slow uploads, or raise the budget."
        }
        Kind::RuntimeUnavailable => {
            "The receiver runs outside of a Tokio runtime, or the runtime has no timer. Build the \
             runtime with `enable_all`."
        }
        Kind::ClockUnavailable => {
            "The clock of the receiver is before 1970, or its own clock returned no time."
        }
        Kind::SecretsUnavailable => {
            "The account lookup failed or timed out. Read its error in the log of the receiver."
        }
        Kind::StoreUnavailable => {
            "The delivery store failed, was too slow, or is full. Read its error in the log of the \
             receiver. Scrupp sends the delivery again."
        }
        Kind::InFlight => {
            "Another attempt at the same delivery is being handled. Scrupp tries again, and then \
             gets the result. If this lasts, a handler hangs, or ended without a release: its \
             lease expires after 60 s."
        }
        Kind::NotVerified => {
            "The handler asks for a verified delivery, but its route has no verifying layer. Add \
             the layer to the route."
        }
        Kind::NotClaimed => {
            "The handler asks for the claim of a delivery, but its layer has no store. Add \
             `dedup` to the layer."
        }
        Kind::NotAnEvent => {
            "The signature is right, but the body has no event name, process id and status that \
             can be read. Take the raw body instead of a `ScruppEvent`, or correct the body that \
             a test sends."
        }
        _ => "",
    }
}
