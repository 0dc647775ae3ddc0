//! Scrupp's scheme for `webhook-verify`.

use webhook_verify::{CustomScheme, Encoding, HashAlg, Provider};

/// Returns Scrupp's scheme as a provider of `webhook-verify`.
pub fn for_webhook_verify() -> Provider {
    Provider::Custom(CustomScheme {
        hash: HashAlg::Sha256,
        signature_header: "x-scrupp-signature",
        timestamp_header: Some("x-scrupp-timestamp"),
        encoding: Encoding::Hex,
        prefix: Some("sha256="),
        signed_string: |headers, body| {
            let timestamp = headers.get("x-scrupp-timestamp").unwrap_or_default();
            let mut signed = Vec::with_capacity(timestamp.len() + 1 + body.len());
            signed.extend_from_slice(timestamp.as_bytes());
            signed.push(b'.');
            signed.extend_from_slice(body);
            signed
        },
    })
}
