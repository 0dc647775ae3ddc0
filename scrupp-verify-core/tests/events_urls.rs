//! Tests of result URLs and API origins.

#![cfg(feature = "events")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::net::Ipv6Addr;

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use scrupp_verify_core::{
    ConfigError,
    events::{ApiOrigin, Event},
};
use url::Url;

const ORIGINS: [&str; 6] = [
    "https://api.scrupp.com",
    "https://api.scrupp.com:8443",
    "https://203.0.113.7",
    "https://[2001:db8::7]:444",
    "http://127.0.0.1:8080",
    "http://[::1]:8080",
];

fn event(process_id: u64, result_url: &str) -> Event {
    let result_url = serde_json::to_string(result_url).unwrap();
    let body = format!(
        r#"{{"event":"task.completed","process_id":{process_id},"status":"completed","result_url":{result_url}}}"#,
    );
    Event::from_json(body.as_bytes()).unwrap()
}

#[test]
fn both_documented_forms_are_accepted() {
    for url in [
        "https://api.scrupp.com/api/v1/task/6666/data",
        "https://api.scrupp.com/task/6666/data",
    ] {
        let accepted = event(6666, url).result_url(&ApiOrigin::default());
        assert_eq!(accepted.unwrap().as_str(), url);
    }
}

#[test]
fn a_missing_result_url_is_built_from_the_process_id() {
    for result_url in ["", r#","result_url":null"#] {
        let body = format!(
            r#"{{"event":"task.completed","process_id":6666,"status":"failed"{result_url}}}"#,
        );
        let event = Event::from_json(body.as_bytes()).unwrap();
        for origin in ORIGINS {
            let origin = ApiOrigin::new(origin).unwrap();
            let url = event.result_url(&origin).unwrap();
            assert_eq!(url.as_str(), format!("{origin}/task/6666/data"));
            assert_eq!(url, origin.result_url(6666));
        }
    }
}

#[test]
fn a_url_converts_to_text() {
    let url = ApiOrigin::default().status_url(7);
    let text = "https://api.scrupp.com/task/7/status";
    assert_eq!(url.as_str(), text);
    assert_eq!(url.as_ref(), text);
    assert_eq!(url.to_string(), text);
    assert_eq!(String::from(url), text);
}

#[test]
fn a_url_of_any_other_form_is_rejected() {
    for (label, urls) in [
        (
            "malformed",
            &[
                "",
                "/task/6666/data",
                "//api.scrupp.com/task/6666/data",
                "https:api.scrupp.com/task/6666/data",
                "https:/api.scrupp.com/task/6666/data",
                "javascript:alert(1)",
                "https:\\\\api.scrupp.com/task/6666/data",
                "https://api.scrupp.com\\task\\6666\\data",
                "https://example.net\\@api.scrupp.com/task/6666/data",
                "https://api.scrupp.com/task/6666/data\\",
                " https://api.scrupp.com/task/6666/data",
                "https://api.scrupp.com/task/6666/data ",
                "https://api.scrupp.com/task/6666/data\n",
                "https://api.scrupp.com/task/6666/data\r\nHost: example.net",
                "https://api.scrupp.com\t/task/6666/data",
                "ht\ntps://api.scrupp.com/task/6666/data",
                "https://api.scrupp.com/task/6666/data\0",
                "https://api.scrupp.com\u{7f}/task/6666/data",
                // Homoglyphs, full-width characters and zero-width spaces.
                "https://\u{430}pi.scrupp.com/task/6666/data",
                "https://\u{ff41}pi.scrupp.com/task/6666/data",
                "https://api\u{3002}scrupp\u{3002}com/task/6666/data",
                "https://example.net\u{ff0f}.api.scrupp.com/task/6666/data",
                "https://api.scrupp.com/task/6666/data\u{200b}",
                "https://api.scrupp.com/task/\u{666}\u{666}\u{666}\u{666}/data",
            ][..],
        ),
        (
            "scheme",
            &[
                "http://api.scrupp.com/task/6666/data",
                "HTTPS://api.scrupp.com/task/6666/data",
                "ftp://api.scrupp.com/task/6666/data",
                "file:///task/6666/data",
                "://api.scrupp.com/task/6666/data",
            ],
        ),
        (
            "userinfo",
            &[
                "https://api.scrupp.com@example.net/task/6666/data",
                "https://user:word@api.scrupp.com/task/6666/data",
                "https://@api.scrupp.com/task/6666/data",
                "https://api.scrupp.com:443@example.net/task/6666/data",
                "https://api.scrupp.com:@example.net/task/6666/data",
                "https://api.scrupp.com@example.net:443/task/6666/data",
            ],
        ),
        (
            "host",
            &[
                "https://example.net/task/6666/data",
                "https://example.net/https://api.scrupp.com/task/6666/data",
                "https://api.scrupp.com.example.net/task/6666/data",
                "https://api.scrupp.com./task/6666/data",
                "https://api-scrupp.com/task/6666/data",
                "https://scrupp.com/task/6666/data",
                "https://API.scrupp.com/task/6666/data",
                "https://api%2escrupp.com/task/6666/data",
                "https://xn--pi-7kc.scrupp.com/task/6666/data",
                "https://127.0.0.1/task/6666/data",
                "https://169.254.169.254/task/6666/data",
                "https://2130706433/task/6666/data",
                "https://[::1]/task/6666/data",
                "https:///task/6666/data",
                "https:///api.scrupp.com/task/6666/data",
                "https://#api.scrupp.com/task/6666/data",
                "https://?api.scrupp.com/task/6666/data",
            ],
        ),
        (
            "port",
            &[
                "https://api.scrupp.com:443/task/6666/data",
                "https://api.scrupp.com:/task/6666/data",
                "https://api.scrupp.com:8443/task/6666/data",
                "https://api.scrupp.com:0443/task/6666/data",
                "https://api.scrupp.com:65979/task/6666/data",
            ],
        ),
        (
            "fragment",
            &[
                "https://api.scrupp.com#/task/6666/data",
                "https://api.scrupp.com/task/6666/data#",
                "https://api.scrupp.com/task/6666/data#@example.net",
                "https://api.scrupp.com/task/6666/data?a#b",
            ],
        ),
        (
            "query",
            &[
                "https://api.scrupp.com?/task/6666/data",
                "https://api.scrupp.com/task/6666/data?",
                "https://api.scrupp.com/task/6666/data?api_key=",
            ],
        ),
        (
            "path",
            &[
                "https://api.scrupp.com",
                "https://api.scrupp.com/",
                "https://api.scrupp.com//task/6666/data",
                "https://api.scrupp.com/task//6666/data",
                "https://api.scrupp.com/task/6666/data/",
                "https://api.scrupp.com/task/6666/data/..",
                "https://api.scrupp.com/task/6666/./data",
                "https://api.scrupp.com/task/6666/../6666/data",
                "https://api.scrupp.com/task/6666/%2e%2e/6666/data",
                "https://api.scrupp.com/task/6666%2fdata",
                "https://api.scrupp.com/task/%36666/data",
                "https://api.scrupp.com/task/6666/data;x=1",
                "https://api.scrupp.com/task/6666/data%00",
                "https://api.scrupp.com/Task/6666/data",
                "https://api.scrupp.com/task/6666/status",
                "https://api.scrupp.com/task/06666/data",
                "https://api.scrupp.com/task/+6666/data",
                "https://api.scrupp.com/task/-6666/data",
                "https://api.scrupp.com/task/6666.0/data",
                "https://api.scrupp.com/task/0x1a0a/data",
                "https://api.scrupp.com/task//data",
                "https://api.scrupp.com/task/18446744073709551616/data",
                "https://api.scrupp.com/api/v2/task/6666/data",
                "https://api.scrupp.com/api/v1/api/v1/task/6666/data",
                "https://api.scrupp.com/api/v1task/6666/data",
                "https://api.scrupp.com/redirect/task/6666/data",
            ],
        ),
        (
            "another task",
            &[
                "https://api.scrupp.com/task/6667/data",
                "https://api.scrupp.com/task/666/data",
                "https://api.scrupp.com/task/66666/data",
                "https://api.scrupp.com/api/v1/task/0/data",
            ],
        ),
    ] {
        for url in urls {
            let rejected = event(6666, url).result_url(&ApiOrigin::default());
            assert!(rejected.is_err(), "{label}: {url:?}");
        }
    }
}

#[test]
fn the_error_does_not_quote_the_url() {
    let of_a_task = event(6666, "https://leak.example/task/6666/data");
    let of_no_task = Event::from_json(br#"{"event":"leak","result_url":"leak"}"#).unwrap();
    for event in [of_a_task, of_no_task] {
        let error = event.result_url(&ApiOrigin::default()).unwrap_err();
        let message = "the event has no accepted result URL";
        assert_eq!(error.to_string(), message);
        assert_eq!(format!("{error:?}"), "ResultUrlError(())");
    }
}

#[test]
fn an_origin_in_canonical_form_is_accepted() {
    let longest_label = format!("https://{}.com", "a".repeat(63));
    for origin in ORIGINS.into_iter().chain([
        "https://localhost",
        "http://localhost",
        "http://localhost:1",
        "http://127.255.0.1",
        "https://a",
        "https://a-b.c0",
        "https://xn--bcher-kva.example",
        "https://api.scrupp.com:80",
        "https://api.scrupp.com:65535",
        "http://127.0.0.1:443",
        "https://[::]",
        "https://[64:ff9b::c000:201]",
        longest_label.as_str(),
    ]) {
        let pinned = ApiOrigin::new(origin).expect(origin);
        assert_eq!(pinned.as_str(), origin);
        assert_eq!(pinned.to_string(), origin);
        let seen = Url::parse(origin).unwrap();
        assert_eq!(seen.origin().ascii_serialization(), origin);
    }
}

#[test]
fn an_origin_in_any_other_form_is_rejected() {
    let label_too_long = format!("https://{}.com", "a".repeat(64));
    let name_too_long = format!("https://{}a", "a.".repeat(127));
    for origin in [
        "",
        "api.scrupp.com",
        "https:",
        "https://",
        "://api.scrupp.com",
        "//api.scrupp.com",
        "https:/api.scrupp.com",
        "HTTPS://api.scrupp.com",
        "ftp://api.scrupp.com",
        "file://localhost",
        "https://API.scrupp.com",
        "https://api.scrupp.com/",
        "https://api.scrupp.com/api/v1",
        "https://api.scrupp.com/:8443",
        "https://api.scrupp.com:8443/",
        "https://api.scrupp.com/#:8443",
        "https://api.scrupp.com?",
        "https://api.scrupp.com#",
        "https://api.scrupp.com?api_key=x",
        "https://api.scrupp.com.",
        "https://.api.scrupp.com",
        "https://api..scrupp.com",
        "https://-api.scrupp.com",
        "https://api-.scrupp.com",
        "https://api_1.scrupp.com",
        "https://api%2escrupp.com",
        "https://bücher.example",
        "https://user@api.scrupp.com",
        "https://user:word@api.scrupp.com",
        "https://user:8443@api.scrupp.com",
        "https://api.scrupp.com\\",
        "https://api.scrupp.com ",
        " https://api.scrupp.com",
        "https://api.scrupp.com\n",
        "https://api.scrupp\t.com",
        "https://*.scrupp.com",
        "https://api.scrupp.com:",
        "https://api.scrupp.com:0",
        "https://api.scrupp.com:443",
        "https://api.scrupp.com:08443",
        "https://api.scrupp.com:+8443",
        "https://api.scrupp.com:65536",
        "https://api.scrupp.com:84a",
        "https://api.scrupp.com:1:2",
        "http://127.0.0.1:80",
        "https://127.1",
        "https://127.0.0.01",
        "https://127.0.0.256",
        "https://2130706433",
        "https://0x7f000001",
        "https://a.0x",
        "https://a.1",
        "https://::1",
        "https://[::1",
        "https://::1]",
        "https://[]",
        "https://[::1]a",
        "https://[::1]/",
        "https://[::1]:8443/",
        "https://[::1]:8443]",
        "https://[0:0:0:0:0:0:0:1]",
        "https://[2001:DB8::7]",
        "https://[::ffff:127.0.0.1]",
        "https://[::ffff:7f00:1]",
        "https://[fe80::1%eth0]",
        "https://[127.0.0.1]",
        &label_too_long,
        &name_too_long,
    ] {
        let error = ApiOrigin::new(origin).expect_err(origin);
        assert_eq!(error, ConfigError::MalformedApiOrigin, "{origin:?}");
    }
}

#[test]
fn an_origin_without_tls_is_rejected_unless_it_is_local() {
    for origin in [
        "http://api.scrupp.com",
        "http://api.scrupp.com:8080",
        "http://128.0.0.1",
        "http://0.0.0.0:8080",
        "http://192.168.0.1",
        "http://[::]",
        "http://[::2]",
        "http://localhost.example.net",
        "http://app.localhost",
        "http://127.0.0.1.example.net",
    ] {
        let error = ApiOrigin::new(origin).expect_err(origin);
        assert_eq!(error, ConfigError::InsecureApiOrigin, "{origin:?}");
    }
}

#[test]
fn the_default_origin_is_valid() {
    let default = ApiOrigin::default();
    assert_eq!(default.as_str(), "https://api.scrupp.com");
    assert_eq!(ApiOrigin::new("https://api.scrupp.com").unwrap(), default);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn an_accepted_url_has_the_configured_origin_and_the_process_id(
        (origin, process_id, url) in candidate(),
    ) {
        let documented = [
            format!("{origin}/api/v1/task/{process_id}/data"),
            format!("{origin}/task/{process_id}/data"),
        ];
        let pinned = ApiOrigin::new(origin).unwrap();
        let Ok(accepted) = event(process_id, &url).result_url(&pinned) else {
            prop_assert!(!documented.contains(&url));
            return Ok(());
        };
        prop_assert_eq!(accepted.as_str(), &url);
        let seen = Url::parse(accepted.as_str()).unwrap();
        prop_assert_eq!(seen.as_str(), accepted.as_str());
        prop_assert_eq!(seen.origin().ascii_serialization(), origin);
        prop_assert_eq!((seen.username(), seen.password()), ("", None));
        prop_assert_eq!((seen.query(), seen.fragment()), (None, None));
        let paths = documented.map(|url| url.replacen(origin, "", 1));
        prop_assert!(paths.iter().any(|path| path == seen.path()));
    }

    #[test]
    fn a_url_with_another_origin_is_rejected(
        (origin, process_id, url) in candidate(),
    ) {
        let seen = Url::parse(&url).map(|url| url.origin().ascii_serialization());
        let pinned = ApiOrigin::new(origin).unwrap();
        let accepted = event(process_id, &url).result_url(&pinned).is_ok();
        prop_assert!(!accepted || seen.as_deref() == Ok(origin));
    }

    #[test]
    fn a_client_parses_an_accepted_origin_identically(origin in almost_an_origin()) {
        let Ok(pinned) = ApiOrigin::new(&origin) else { return Ok(()) };
        // `ApiOrigin` does not validate Punycode labels. Clients reject invalid ones.
        prop_assume!(!origin.contains("xn--"));
        let seen = Url::parse(&origin).unwrap();
        prop_assert_eq!(seen.origin().ascii_serialization(), pinned.as_str());
        prop_assert!(seen.scheme() == "https" || is_loopback(&seen));
    }

    #[test]
    fn an_ipv6_address_is_accepted_only_in_canonical_form(
        segments in any::<[u16; 8]>(),
        zeros in any::<[bool; 8]>(),
    ) {
        let mut segments = segments;
        for (segment, is_zero) in segments.iter_mut().zip(zeros) {
            *segment = if is_zero { 0 } else { *segment };
        }
        let full = segments.map(|segment| format!("{segment:x}")).join(":");
        let full = format!("https://[{full}]");
        let canonical = Url::parse(&full).unwrap().origin().ascii_serialization();
        let is_mapped = Ipv6Addr::from(segments).to_ipv4_mapped().is_some();
        prop_assert_eq!(ApiOrigin::new(&canonical).is_ok(), !is_mapped);
        prop_assert_eq!(ApiOrigin::new(&full).is_ok(), !is_mapped && full == canonical);
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host().unwrap() {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    }
}

fn candidate() -> impl Strategy<Value = (&'static str, u64, String)> {
    let process_id = prop_oneof![Just(0), Just(6666), Just(u64::MAX), any::<u64>()];
    (select(&ORIGINS[..]), process_id).prop_flat_map(|(origin, process_id)| {
        let url = hostile(origin, process_id);
        (Just(origin), Just(process_id), url)
    })
}

/// A documented URL after up to three hostile changes.
fn hostile(origin: &'static str, process_id: u64) -> impl Strategy<Value = String> {
    let changes = prop_oneof![1 => Just(Vec::new()), 6 => vec(change(), 1..4)];
    (select(vec!["/api/v1", ""]), changes).prop_map(move |(prefix, changes)| {
        let url = format!("{origin}{prefix}/task/{process_id}/data");
        changes
            .iter()
            .fold(url, |url, change| change.apply(&url, origin, process_id))
    })
}

#[derive(Clone, Debug)]
enum Change {
    Insert(Index, &'static str),
    Remove(Index),
    Encode(Index),
    UpperCase(Index),
    Origin(&'static str),
    Id(String),
    Before(&'static str),
    After(&'static str),
}

impl Change {
    fn apply(&self, url: &str, origin: &str, process_id: u64) -> String {
        let mut chars: Vec<String> = url.chars().map(String::from).collect();
        let len = chars.len(); // 0 if earlier changes removed everything
        match self {
            Self::Insert(at, what) => chars.insert(at.index(len + 1), (*what).into()),
            Self::Remove(at) if len > 0 => drop(chars.remove(at.index(len))),
            Self::Encode(at) if len > 0 => {
                let bytes = chars[at.index(len)].clone().into_bytes();
                chars[at.index(len)] = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            }
            Self::UpperCase(at) if len > 0 => {
                chars[at.index(len)] = chars[at.index(len)].to_uppercase();
            }
            Self::Remove(_) | Self::Encode(_) | Self::UpperCase(_) => {}
            Self::Origin(other) => return url.replacen(origin, other, 1),
            Self::Id(other) => return url.replacen(&process_id.to_string(), other, 1),
            Self::Before(what) => return format!("{what}{url}"),
            Self::After(what) => return format!("{url}{what}"),
        }
        chars.concat()
    }
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    let insert = select(vec![
        "@",
        "user@",
        "user:word@",
        ":",
        ":443",
        ":80",
        "\\",
        "/",
        "//",
        "/./",
        "/../",
        "%2f",
        "%2e",
        "%2e%2e/",
        "%00",
        "?",
        "?a=b",
        "#",
        "#a",
        ";",
        ".",
        " ",
        "\t",
        "\r\n",
        "\n",
        "\0",
        "\u{7f}",
        "\u{200b}",
        "\u{2024}",
        "\u{3002}",
        "\u{ff0f}",
        "\u{430}",
        "\u{ff41}",
        "\u{1d7d4}",
        "ß",
        "+",
        "0",
        "[",
        "]",
    ]);
    let other_origin = select(vec![
        "https://example.net",
        "https://api.scrupp.com.example.net",
        "https://api.scrupp.com@example.net",
        "https://example.net\\@api.scrupp.com",
        "https://api.scrupp.com#@example.net",
        "https://api.scrupp.com:443",
        "https://api.scrupp.com:8444",
        "https://API.SCRUPP.COM",
        "HTTPS://api.scrupp.com",
        "https:api.scrupp.com",
        "https:///api.scrupp.com",
        "https:\\\\api.scrupp.com",
        "https://\u{430}pi.scrupp.com",
        "https://api.scrupp.\u{ff43}om",
        "https://api.scrupp.com.",
        "http://api.scrupp.com",
        "http://127.1:8080",
        "http://0x7f000001:8080",
        "http://[::ffff:127.0.0.1]:8080",
        "http://169.254.169.254",
        "file://",
    ]);
    let other_id = select(vec![
        "",
        "0",
        "06666",
        "+6666",
        "-6666",
        "6666.0",
        "%36666",
        "６６６６",
        "6666/../1",
        "..",
        "*",
    ]);
    let other_id = prop_oneof![
        any::<u64>().prop_map(|id| id.to_string()),
        other_id.prop_map(String::from),
    ];
    let before = select(vec![" ", "\n", "url:", "view-source:", "//", "https://"]);
    let after = select(vec!["/", " ", "\r\n", "?", "#", "/..", "\\", "%20", "\0"]);
    prop_oneof![
        6 => (index(), insert).prop_map(|(at, what)| Change::Insert(at, what)),
        2 => index().prop_map(Change::Remove),
        2 => index().prop_map(Change::Encode),
        2 => index().prop_map(Change::UpperCase),
        3 => other_origin.prop_map(Change::Origin),
        2 => other_id.prop_map(Change::Id),
        1 => before.prop_map(Change::Before),
        1 => after.prop_map(Change::After),
    ]
}

fn almost_an_origin() -> impl Strategy<Value = String> {
    let other_scheme = select(vec!["HTTPS://", "https:/", "https:///", "ws://", ""]);
    let scheme = prop_oneof![4 => Just("https://"), 4 => Just("http://"), 1 => other_scheme];
    let host = prop_oneof![
        "[a-z0-9.-]{0,12}",
        "[a-z][a-z0-9-]{0,4}(\\.[a-z0-9]{1,4}){0,3}",
        "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}",
        "0x[0-9a-f]{0,8}",
        "\\[[0-9a-f:.]{0,12}\\]",
        "\\[[0-9a-f]{1,2}::[0-9a-f]{1,2}\\]",
        "(localhost|127\\.0\\.0\\.[0-9]|\\[::1\\])",
        "\\PC{0,8}",
    ];
    let port = prop_oneof!["(:[0-9]{0,6})?", "(:(80|443|0|[1-9][0-9]{3}))?"];
    let rest = select(vec!["/", "?", "#", " ", "\n", "@a", "\\"]);
    let rest = prop_oneof![8 => Just(""), 1 => rest];
    (scheme, host, port, rest)
        .prop_map(|(scheme, host, port, rest)| format!("{scheme}{host}{port}{rest}"))
}
