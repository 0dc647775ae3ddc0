//! The configuration files in `docs/` for reverse proxies.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;
use std::{
    env, fs,
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::{Child, Command},
    sync::Arc,
};

use scrupp_verify_tests::{Connection, Program, Step, free_port, signed};
use serde_json::Value;
use tokio::time::sleep;

const CONFIGURATION: &str = include_str!("../../docs/nginx.conf");

/// An nginx server. Stopped on drop.
struct Nginx {
    server: Child,
    directory: PathBuf,
    port: u16,
}

impl Nginx {
    async fn start(receiver: &str) -> Self {
        let port = free_port();
        let directory = env::temp_dir().join(format!("scrupp-nginx-{port}"));
        fs::create_dir(&directory).unwrap();
        let server = CONFIGURATION
            .replace("127.0.0.1:3000", receiver)
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|path| format!("{path}_temp_path {path};\n"))
            .concat();
        // A single process, so killing it leaves none behind.
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log errors;\nevents {{}}\n\
             http {{\naccess_log off;\n{paths}{server}}}\n"
        );
        fs::write(directory.join("nginx.conf"), configuration).unwrap();
        let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let server = Command::new("nginx")
            .args(["-c", "nginx.conf", "-p"])
            .arg(&directory)
            .env("PATH", path)
            .spawn()
            .expect("nginx is missing (Debian: apt-get install nginx-light)");
        let nginx = Self {
            server,
            directory,
            port,
        };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return nginx;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("nginx does not listen");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[tokio::test]
async fn receiver_behind_nginx_passes_doctor() {
    let receiver = Program::start("example-axum", &[("STORE_URL", "memory:")]).await;
    let nginx = Nginx::start(&receiver.address().to_string()).await;
    let url = format!("http://127.0.0.1:{}/webhooks/scrupp", nginx.port);
    let effects = format!("http://{}/deliveries", receiver.address());
    let arguments = ["doctor", &url, "--strict", "--genuine", "--large", "--raw"];
    let more = ["--effects-url", &effects, "--format", "json"];
    let none: [(&str, &str); 0] = [];
    let ran = Program::run("scrupp-verify", &[&arguments[..], &more].concat(), &none).await;
    let (stdout, stderr) = (
        String::from_utf8(ran.stdout).unwrap(),
        String::from_utf8_lossy(&ran.stderr),
    );
    let results: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let failed = |check: &&Value| check["result"] == "fail" || check["result"] == "skip";
    let failures: Vec<_> = results.iter().filter(failed).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!(ran.status.code(), Some(0), "{stderr}");
    assert!(results.len() > 105, "{}", results.len());

    let mut largest = signed(1);
    largest.pad_to(256 * 1024);
    let mut other = signed(2);
    Arc::make_mut(&mut other.recipient).target = "/deliveries".to_owned();
    for (delivery, status) in [(largest, 200), (other, 404)] {
        let address = (Ipv4Addr::LOCALHOST, nginx.port).into();
        let mut connection = Connection::open(address).await.unwrap();
        let request = Step::Send(delivery.request());
        connection.send(&[request]).await.unwrap();
        assert_eq!(connection.response().await.unwrap().status, status);
    }
}
