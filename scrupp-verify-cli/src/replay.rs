use std::path::PathBuf;

use reqwest::{
    Method, Url,
    header::{HeaderMap, HeaderName},
};
use scrupp_verify_core::{Signer, UnixTime};

use crate::{
    client::{self, Client},
    input,
    output::{Error, Format},
    recording::{self, Recorded},
    secrets::Secrets,
};

/// Signs the deliveries of a recording again, and sends them.
///
/// Also signs deliveries that were rejected, so send only to receivers under test.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify replay deliveries.ndjson http://127.0.0.1:3000/webhooks/scrupp
  scrupp-verify replay --as-recorded deliveries.ndjson URL    like an attacker")]
pub(crate) struct Args {
    /// Recording or raw HTTP request, or - for standard input
    file: PathBuf,
    /// URL of the receiver
    url: Url,
    /// Keeps the recorded timestamps and signatures. Needs no secret
    #[arg(long)]
    as_recorded: bool,
    #[command(flatten)]
    secrets: Secrets,
}

impl Args {
    pub(crate) async fn run(self, format: Format) -> Result<bool, Error> {
        let signer = match self.as_recorded {
            true => None,
            false => Some(self.secrets.signer()?),
        };
        let deliveries = recording::parse(&input::read(&self.file, &self.secrets)?)?;
        let client = Client::new(self.url)?;
        let mut responses = Vec::new();
        for (index, delivery) in deliveries.into_iter().enumerate() {
            let (method, headers) = head(&delivery, signer.as_ref())
                .map_err(|why| Error::failed(format!("delivery {}", index + 1), why))?;
            let response = client.send(method, headers, delivery.body).await;
            responses.push(client::report(
                &response,
                |status| status.is_success(),
                format,
            ));
        }
        client::as_expected(responses)
    }
}

/// Returns the method and the headers for sending a delivery.
fn head(
    delivery: &Recorded,
    signer: Option<&Signer>,
) -> Result<(Method, HeaderMap), Box<dyn core::error::Error>> {
    let mut headers = HeaderMap::new();
    for (name, value) in &delivery.headers {
        headers.append(HeaderName::try_from(name)?, value.try_into()?);
    }
    if let Some(signer) = signer {
        let now = UnixTime::now().ok_or("the system clock is before 1970")?;
        for (name, value) in signer.sign(now, &delivery.body).pairs() {
            headers.insert(name, value.try_into()?);
        }
    }
    Ok((delivery.method.parse()?, headers))
}
