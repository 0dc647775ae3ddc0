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

/// Sends the deliveries of a recording, signed anew.
///
/// Rejected deliveries of the recording are signed too, so replay them to a receiver under test only.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify replay deliveries.ndjson http://127.0.0.1:3000/webhooks/scrupp
  scrupp-verify replay --as-recorded deliveries.ndjson URL    a replay, as an attacker tries it")]
pub(crate) struct Args {
    /// Recording of listen, or a raw HTTP request; - for standard input
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

/// Returns the method and the headers to send a delivery with.
fn head(
    delivery: &Recorded,
    signer: Option<&Signer>,
) -> Result<(Method, HeaderMap), Box<dyn core::error::Error>> {
    let mut headers = HeaderMap::new();
    for (name, value) in &delivery.headers {
        headers.append(HeaderName::try_from(name)?, value.try_into()?);
    }
    if let Some(signer) = signer {
        let now = UnixTime::now().ok_or("the clock gives no time")?;
        for (name, value) in signer.sign(now, &delivery.body).pairs() {
            headers.insert(name, value.try_into()?);
        }
    }
    Ok((delivery.method.parse()?, headers))
}
