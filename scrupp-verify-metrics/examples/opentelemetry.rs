//! An observer for OpenTelemetry. Counts one handled and one rejected delivery, and prints the metrics.
//!
//! Names and units follow the conventions of OpenTelemetry: dots between the parts of a name, seconds for
//! durations, and `error.type` for the reason for a rejection.
//!
//! Run with `cargo run -p scrupp-verify-metrics --example opentelemetry`. In a service, use an exporter such
//! as `opentelemetry-otlp`.

use std::error::Error;

use bytes::Bytes;
use http_body_util::Full;
use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider},
};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use scrupp_verify_adapter::{Config, Observation, Observer};
use scrupp_verify_core::{Secret, Signer, UnixTime};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.clone())
        .build();

    let secret = Secret::new("topsecret")?;
    let signer = Signer::new(&secret);
    let mut config: Config<(), ()> = Config::new(secret, ());
    config.observe(observer(&provider.meter("scrupp_verify")));

    let headers = signer.sign(UnixTime::now().ok_or("no clock")?, b"{}");
    for body in ["{}", "[]"] {
        let mut body = Full::new(Bytes::from(body));
        if let Ok(Some(accepted)) = config.receive(&headers, &(), None, &mut body).await {
            accepted.handler.complete(Some(200), false).await;
        }
    }

    provider.force_flush()?;
    for metrics in exporter.get_finished_metrics()? {
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            println!("{}: {:?}", metric.name(), metric.data());
        }
    }
    Ok(())
}

/// Creates an observer that counts deliveries and measures handlers.
fn observer(meter: &Meter) -> impl Observer + use<> {
    let deliveries = meter
        .u64_counter("scrupp_verify.deliveries")
        .with_unit("{delivery}")
        .with_description("Deliveries by outcome.")
        .build();
    let handler = meter
        .f64_histogram("scrupp_verify.handler.duration")
        .with_unit("s")
        .with_description("Time until the handler responded or was dropped.")
        // The boundaries that the conventions recommend for `http.server.request.duration`.
        .with_boundaries(vec![
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
        ])
        .build();
    move |observation: &Observation<'_>| {
        let (outcome, error) = match *observation {
            Observation::Handled {
                is_success, time, ..
            } => {
                handler.record(time.as_secs_f64(), &[]);
                match is_success {
                    true => ("handled", None),
                    false => ("failed", None),
                }
            }
            Observation::HandlerDropped { time, .. } => {
                handler.record(time.as_secs_f64(), &[]);
                ("dropped", None)
            }
            Observation::Duplicate { .. } => ("duplicate", None),
            Observation::Rejected { rejection, .. } => {
                ("rejected", Some(rejection.kind().as_str()))
            }
            _ => return,
        };
        let outcome = KeyValue::new("scrupp_verify.outcome", outcome);
        match error {
            Some(error) => deliveries.add(1, &[outcome, KeyValue::new("error.type", error)]),
            None => deliveries.add(1, &[outcome]),
        }
    }
}
