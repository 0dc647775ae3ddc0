//! What is refused, when it is known, and what the refusal looks like.

use core::{convert::Infallible, future::ready, time::Duration};
use std::rc::Rc;

use actix_web::{
    HttpMessage, HttpResponse, body, body::MessageBody as _, dev::Payload, http::StatusCode,
    test::TestRequest,
};
use scrupp_verify_actix::{Account, Rejection, RejectionKind, ScruppVerify, UnixTime, Verified};

use crate::support::{
    EVENT, NOW, PATH, Scripted, Seen, Turn, answer, genuine, keeps, kind, refusal, scripted,
    secret, signed, verify,
};

#[actix_web::test]
async fn does_not_ask_for_the_body_before_a_bad_head_is_answered() {
    let too_long = signed(EVENT).insert_header(("content-length", "262145"));
    for (head, status) in [
        (TestRequest::post(), StatusCode::UNAUTHORIZED),
        (too_long, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let body = Scripted::new([Turn::Data(EVENT), Turn::Data(EVENT)]);
        let polls = Rc::clone(&body.polls);
        let response = refusal(&verify(), scripted(head, body)).await;
        assert_eq!(response.status(), status);
        assert_eq!(polls.get(), 0, "{status}");

        // Behind the head of the response, what is on its way is read.
        body::to_bytes(response.into_body()).await.unwrap();
        assert_eq!(polls.get(), 3, "{status}");
    }
}

#[actix_web::test]
async fn never_asks_for_a_body_that_waits_to_be_asked_for() {
    let body = Scripted::new([Turn::Stall]);
    let polls = Rc::clone(&body.polls);
    let head = TestRequest::post().insert_header(("expect", "100-continue"));
    let response = refusal(&verify(), scripted(head, body)).await;
    body::to_bytes(response.into_body()).await.unwrap();
    assert_eq!(polls.get(), 0);
}

#[actix_web::test]
async fn reads_on_behind_a_refusal_no_further_than_the_limit() {
    let endless = Scripted::new([Turn::Endless(&[0; 1000])]);
    let polls = Rc::clone(&endless.polls);
    let verify = verify().body_limit(10_000);
    let response = refusal(&verify, scripted(TestRequest::post(), endless)).await;
    body::to_bytes(response.into_body()).await.unwrap();
    assert_eq!(polls.get(), 11);
}

#[actix_web::test]
async fn refuses_a_body_over_the_limit_declared_or_streamed() {
    let verify = verify().body_limit(EVENT.len());
    let seen = Seen::default();
    let fits = signed(EVENT)
        .insert_header(("content-length", EVENT.len()))
        .set_payload(EVENT);
    let response = answer(&verify, keeps(&seen), fits.to_srv_request()).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);

    let declared = signed(EVENT).insert_header(("content-length", EVENT.len() + 1));
    let understated = signed(EVENT).insert_header(("content-length", 1));
    for (label, request) in [
        ("declared", declared.to_srv_request()),
        (
            "streamed",
            scripted(
                signed(EVENT),
                Scripted::new([Turn::Data(EVENT), Turn::Endless(b"0")]),
            ),
        ),
        (
            "declared as less",
            scripted(understated, Scripted::new([Turn::Endless(EVENT)])),
        ),
    ] {
        let response = refusal(&verify, request).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{label}");
        assert_eq!(kind(&response), RejectionKind::BodyTooLarge, "{label}");
    }
}

#[actix_web::test]
async fn ends_a_body_that_stalls_or_is_empty_for_ever() {
    type Script = fn() -> Vec<Turn>;
    let scripts: [(&str, Script); 3] = [
        ("stalls", || vec![Turn::Data(b"{"), Turn::Stall]),
        ("never comes", || vec![Turn::Stall]),
        ("is empty for ever", || vec![Turn::Endless(b"")]),
    ];
    for (label, script) in scripts {
        let verify = verify().body_timeout(Duration::from_millis(50));
        let request = scripted(signed(EVENT), Scripted::new(script()));
        let response = refusal(&verify, request);
        let response = tokio::time::timeout(Duration::from_secs(5), response).await;
        let response = response.expect(label);
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT, "{label}");
        assert_eq!(kind(&response), RejectionKind::BodyTimeout, "{label}");
    }
}

#[actix_web::test]
async fn refuses_what_breaks_off_and_what_ends_early() {
    for (script, status, expected) in [
        (
            vec![Turn::Data(EVENT), Turn::Error],
            400,
            RejectionKind::BodyBroken,
        ),
        (vec![Turn::Error], 400, RejectionKind::BodyBroken),
        (
            vec![Turn::Data(&EVENT[..10])],
            401,
            RejectionKind::SignatureMismatch,
        ),
        (vec![], 401, RejectionKind::SignatureMismatch),
    ] {
        let request = scripted(signed(EVENT), Scripted::new(script));
        let response = refusal(&verify(), request).await;
        assert_eq!(response.status(), status);
        assert_eq!(kind(&response), expected);
    }
}

#[actix_web::test]
async fn accepts_nothing_without_a_clock() {
    let verify = ScruppVerify::new(secret()).clock(|| None);
    let response = refusal(&verify, genuine(EVENT).to_srv_request()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers().get("retry-after").unwrap(), "5");
    assert_eq!(kind(&response), RejectionKind::ClockUnavailable);
}

#[actix_web::test]
async fn answers_every_kind_of_refusal_with_the_problem_of_its_status() {
    let response = refusal(&verify(), TestRequest::post().to_srv_request()).await;
    let rejection = Rejection::new(RejectionKind::MissingSignature);
    for &(name, value) in rejection.headers() {
        let values: Vec<_> = response.headers().get_all(name).collect();
        assert_eq!(values, [value], "{name}");
    }
    let body = body::to_bytes(response.into_body()).await.unwrap();
    assert_eq!(body, rejection.problem());
}

fn looks_up() -> ScruppVerify {
    ScruppVerify::with_secrets(|request| {
        ready(match request.path() {
            "/known" => Ok(Some(Account::new("known", secret()))),
            "/broken" => Err("no connection"),
            _ => Ok(None),
        })
    })
    .clock(|| Some(UnixTime::from_secs(NOW)))
}

#[actix_web::test]
async fn names_the_account_whose_secret_was_looked_up() {
    let seen = Seen::default();
    let request = genuine(EVENT).uri("/known").to_srv_request();
    let response = answer(&looks_up(), keeps(&seen), request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let seen = seen.borrow();
    let extensions = seen[0].extensions();
    let account = extensions.get::<Verified>().unwrap().account();
    assert_eq!(account, Some(Account::new("known", secret()).id()));
}

#[actix_web::test]
async fn shows_no_stranger_which_accounts_there_are() {
    let refused = async |path, payload: &'static [u8]| {
        let request = signed(EVENT).uri(path).set_payload(payload);
        let response = refusal(&looks_up(), request.to_srv_request()).await;
        let kind = kind(&response);
        let (status, headers) = (response.status(), response.headers().clone());
        let headers: Vec<_> = headers.into_iter().collect();
        let body = body::to_bytes(response.into_body()).await.unwrap();
        (kind, (status, headers, body))
    };
    let (reason, wrong) = refused("/known", b"forged").await;
    assert_eq!(reason, RejectionKind::SignatureMismatch);
    let (reason, unknown) = refused("/unknown", EVENT).await;
    assert_eq!(reason, RejectionKind::UnknownAccount);
    assert_eq!(wrong, unknown, "the same to a stranger");
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn refuses_what_it_cannot_look_up_without_reading_it() {
    let body = Scripted::new([Turn::Data(EVENT)]);
    let polls = Rc::clone(&body.polls);
    let response = refusal(&looks_up(), scripted(genuine(EVENT).uri("/broken"), body)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers().get("retry-after").unwrap(), "5");
    assert_eq!(kind(&response), RejectionKind::SecretsUnavailable);
    assert_eq!(polls.get(), 0);
}

#[actix_web::test]
async fn does_not_look_up_the_secrets_of_a_request_with_a_bad_head() {
    let verify =
        ScruppVerify::with_secrets(|_| async { panic!("looked up") as Result<_, Infallible> });
    let response = refusal(&verify, TestRequest::post().uri(PATH).to_srv_request()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn answers_a_rejection_as_it_is_told_to_but_decides_itself() {
    let verify = verify().on_rejection(|rejection| {
        HttpResponse::Ok()
            .insert_header(("x-own", "1"))
            .body(rejection.kind().as_str())
    });
    let response = refusal(&verify, TestRequest::post().to_srv_request()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().get("x-own").unwrap(), "1");
    assert_eq!(kind(&response), RejectionKind::MissingSignature);
    let body = body::to_bytes(response.into_body()).await.unwrap();
    assert_eq!(body, "missing_signature");
}

#[actix_web::test]
async fn polls_the_rest_of_a_request_before_an_answer_without_a_body_ends() {
    let unread = Scripted::new([Turn::Data(EVENT), Turn::Data(EVENT)]);
    let polls = Rc::clone(&unread.polls);
    let verify = verify().on_rejection(|_| HttpResponse::Unauthorized().finish());
    let response = refusal(&verify, scripted(TestRequest::post(), unread)).await;
    // A server does not poll a body of which it knows that nothing comes.
    assert!(!response.response().body().size().is_eof());
    body::to_bytes(response.into_body()).await.unwrap();
    assert_eq!(polls.get(), 3);
}

#[actix_web::test]
async fn ends_an_answer_without_a_body_at_once_where_the_request_has_none() {
    let verify = verify().on_rejection(|_| HttpResponse::Unauthorized().finish());
    let mut request = TestRequest::post().to_srv_request();
    request.set_payload(Payload::None);
    let response = refusal(&verify, request).await;
    assert!(response.response().body().size().is_eof());
}
