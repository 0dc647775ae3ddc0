use actix_web::{dev::ServiceResponse, test::TestRequest};
use scrupp_verify_actix::{Rejection, RejectionKind, ScruppVerify, Secret, Signer, UnixTime};

pub(crate) const NOW: u64 = 1_735_471_800;
pub(crate) const PATH: &str = "/webhooks/scrupp";
pub(crate) const EVENT: &[u8] =
    br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

pub(crate) fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

pub(crate) fn verify() -> ScruppVerify {
    ScruppVerify::new(secret()).clock(|| Some(UnixTime::from_secs(NOW)))
}

/// Creates the head of a delivery with this content, without a body.
pub(crate) fn signed(content: &[u8]) -> TestRequest {
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), content);
    headers
        .pairs()
        .into_iter()
        .fold(TestRequest::post().uri(PATH), TestRequest::insert_header)
}

pub(crate) fn genuine(content: &'static [u8]) -> TestRequest {
    signed(content).set_payload(content)
}

pub(crate) fn kind<B>(response: &ServiceResponse<B>) -> Option<RejectionKind> {
    let extensions = response.response().extensions();
    extensions.get().map(Rejection::kind)
}
