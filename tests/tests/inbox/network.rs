use core::time::Duration;
use std::{
    io::{ErrorKind, Read},
    net::TcpListener,
};

use scrupp_verify_tests::{SECRET, TaskApi};
use tokio::task::spawn_blocking;

use crate::{Directory, completed, deliver, row, run, start};

const PROXY_VARIABLES: [&str; 6] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

#[tokio::test]
async fn sends_no_request_to_localhost_through_a_proxy() {
    let (directory, api) = (Directory::new("proxy"), TaskApi::start().await);
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut settings = PROXY_VARIABLES.map(|name| (name, url.as_str())).to_vec();
    settings.extend([("NO_PROXY", ""), ("no_proxy", "")]);
    let inbox = start(&directory.database_url(), &api, &settings).await;
    deliver(inbox.address(), &completed(1)).await;
    row(&inbox, 1, "stored").await;
    for origin in [
        "https://127.0.0.1:1",
        "https://localhost:1",
        "https://[::1]:1",
    ] {
        let more = [("SCRUPP_API_ORIGIN", origin), ("FETCH_ATTEMPTS", "1")];
        let settings = [&settings[..], &more].concat();
        let ended = run(&["poll", "1"], &settings).await;
        assert_eq!(ended.status.code(), Some(1), "{origin}");
    }
    let connected = proxy.accept();
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn proxy_tunnel_does_not_receive_the_key() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let seen = spawn_blocking(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            let mut bytes = [0; 1024];
            let count = stream.read(&mut bytes).unwrap();
            assert!(count > 0, "closed");
            seen.extend_from_slice(&bytes[..count]);
        }
        String::from_utf8(seen).unwrap()
    });
    let settings = [
        ("HTTPS_PROXY", url.as_str()),
        ("NO_PROXY", ""),
        ("no_proxy", ""),
        ("SCRUPP_API_ORIGIN", "https://api.scrupp.example"),
        ("FETCH_ATTEMPTS", "1"),
    ];
    let ended = run(&["poll", "1"], &settings).await;
    assert_eq!(ended.status.code(), Some(1));
    let seen = seen.await.unwrap();
    assert!(
        seen.starts_with("CONNECT api.scrupp.example:443 "),
        "{seen}"
    );
    assert!(!seen.contains(SECRET), "{seen}");
}

#[tokio::test]
async fn sends_its_user_agent_with_every_request() {
    let (directory, api) = (Directory::new("agent"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    deliver(inbox.address(), &completed(1)).await;
    row(&inbox, 1, "stored").await;
    let settings = [("SCRUPP_API_ORIGIN", api.origin())];
    let ended = run(&["poll", "1"], &settings).await;
    assert_eq!(ended.status.code(), Some(0));
    let agent = concat!("example-inbox/", env!("CARGO_PKG_VERSION"));
    assert!(
        api.user_agents().iter().eq([agent]),
        "{:?}",
        api.user_agents()
    );
}

#[tokio::test]
async fn needs_certificates_for_https_only() {
    let api = TaskApi::start().await;
    let none = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    let origin = api.origin();
    let settings = [&none[..], &[("SCRUPP_API_ORIGIN", origin.as_str())]].concat();
    let ended = run(&["poll", "1"], &settings).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");

    for arguments in [&["poll", "1"][..], &[]] {
        let ended = run(arguments, &none).await;
        assert_eq!(ended.status.code(), Some(2));
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert!(errors.contains("SSL_CERT_FILE"), "{errors}");
        assert!(
            errors.contains("builder error: ") && errors.contains("No CA cert"),
            "{errors}"
        );
    }
}

#[tokio::test]
async fn failed_connection_is_reported_with_its_cause_but_not_the_key() {
    let settings = [
        ("SCRUPP_API_ORIGIN", "http://127.0.0.1:1"),
        ("SCRUPP_API_KEY_IN", "query"),
        ("FETCH_ATTEMPTS", "1"),
    ];
    let ended = run(&["poll", "1"], &settings).await;
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert!(errors.contains("no connection to the API: "), "{errors}");
    assert!(errors.contains("os error 111"), "{errors}");
    assert!(!errors.contains(SECRET), "{errors}");
}
