//! Parses accepted result URLs like an HTTP client. Each must have the pinned origin.
//!
//! The input is three lines: the pinned origin, the process id, and the `result_url` of the event. `{origin}` and
//! `{id}` in the URL stand for the first two.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scrupp_verify_core::events::{ApiOrigin, Event};
use url::{Host, Url};

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(3, '\n');
    let (Some(origin), Some(id), Some(url)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let id: u64 = id.parse().unwrap_or(6666);
    let url = url
        .replace("{origin}", origin)
        .replace("{id}", &id.to_string());
    let Ok(pinned) = ApiOrigin::new(origin) else {
        return;
    };

    let seen = match Url::parse(origin) {
        Ok(seen) => seen,
        // A client rejects an invalid Punycode label, so it sends nothing.
        Err(_) => return assert!(origin.contains("xn--"), "{origin}"),
    };
    assert_eq!(seen.origin().ascii_serialization(), origin);
    let is_loopback = match seen.host().unwrap() {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    assert!(seen.scheme() == "https" || is_loopback, "{origin}");

    let payload = serde_json::json!({
        "event": "task.completed", "process_id": id, "status": "completed", "result_url": url,
    });
    let event = Event::from_json(payload.to_string().as_bytes()).unwrap();
    let Ok(accepted) = event.result_url(&pinned) else {
        return;
    };
    assert_eq!(accepted.as_str(), url);
    for ours in [accepted, pinned.result_url(id), pinned.status_url(id)] {
        let seen = Url::parse(ours.as_str()).unwrap();
        assert_eq!(seen.as_str(), ours.as_str());
        assert_eq!(seen.origin().ascii_serialization(), origin);
        assert_eq!((seen.username(), seen.password()), ("", None));
        assert_eq!((seen.query(), seen.fragment()), (None, None));
        assert!(seen.path().contains(&format!("/task/{id}/")));
    }
});
