use core::{fmt::Write, time::Duration};
use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use crate::free_port;

/// A Prometheus server that scrapes a list of addresses every second. Stopped on drop.
#[derive(Debug)]
pub struct Prometheus {
    server: Child,
    directory: PathBuf,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts the server with a file of rules, and waits until it responds.
    pub async fn start(targets: &[SocketAddr], rules: &Path) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let directory = env::temp_dir().join(format!("scrupp-prometheus-{}", address.port()));
        fs::create_dir(&directory).expect("a directory");
        let targets: Vec<_> = targets.iter().map(SocketAddr::to_string).collect();
        let rules = rules.canonicalize().expect("rules");
        let configuration = directory.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs: [{{job_name: scrupp, static_configs: [{{targets: {targets:?}}}]}}]\n"
        );
        fs::write(&configuration, text).expect("written");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", configuration.display()));
        command.arg(format!("--storage.tsdb.path={}", directory.display()));
        command.arg(format!("--web.listen-address={address}"));
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let prometheus = Self {
            server: server.expect("prometheus is missing (Debian: apt-get install prometheus)"),
            directory,
            address,
        };
        for _ in 0..400 {
            if prometheus.try_get("/-/ready").await.is_some_and(is_ok) {
                return prometheus;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("Prometheus is not ready");
    }

    /// Returns the labels and the value of each sample of an instant query.
    ///
    /// # Panics
    ///
    /// Panics if the query is invalid.
    pub async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let encoded = query.bytes().fold(String::new(), |mut encoded, byte| {
            let _ = write!(encoded, "%{byte:02X}");
            encoded
        });
        let result = self.get(&format!("/api/v1/query?query={encoded}")).await;
        assert_eq!(result["status"], "success", "{query}: {result}");
        let samples = result["data"]["result"].as_array().expect("a vector");
        let sample = |sample: &Value| {
            let value = sample["value"][1].as_str().expect("a value");
            (sample["metric"].clone(), value.parse().expect("a number"))
        };
        samples.iter().map(sample).collect()
    }

    /// Returns the JSON document at a path.
    pub async fn get(&self, path: &str) -> Value {
        let response = self.try_get(path).await.expect("a response");
        let (_, body) = response.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    }

    async fn try_get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        // HTTP/1.0, so that the connection ends with the body.
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await.ok()?;
        Some(response)
    }
}

fn is_ok(response: String) -> bool {
    response.split(' ').nth(1) == Some("200")
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
