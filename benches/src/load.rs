//! Request rates of servers under load, measured in turn. The first core runs the server, and the second runs `wrk`.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use hmac::{Hmac, KeyInit, Mac};
use scrupp_verify_benches::delivery::{self, SECRET, sign};
use sha2::Sha256;

use crate::{figure::Figure, rounds::median};

pub(crate) type Result<T> = core::result::Result<T, Box<dyn Error>>;

const CONNECTIONS: u32 = 32;

/// Server under load, and the delivery that it gets.
struct Entrant {
    name: &'static str,
    variant: &'static str,
    delivery: Delivery,
    runs: Vec<Run>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Signed,
    Unsigned,
    SignedForGitHub,
}

/// Result of one run of `wrk`.
struct Run {
    per_second: f64,
    /// Requests per second of the server's CPU time. Other processes do not affect this rate.
    per_cpu_second: f64,
}

const SERVERS: [(&str, &str, Delivery); 6] = [
    ("axum", "axum-bare", Delivery::Signed),
    ("axum, layer", "axum-layer", Delivery::Signed),
    ("axum, by hand", "axum-by-hand", Delivery::Signed),
    ("axum, layer, unsigned", "axum-layer", Delivery::Unsigned),
    ("actix", "actix-bare", Delivery::Signed),
    ("actix, middleware", "actix-middleware", Delivery::Signed),
];

const PEERS: [(&str, &str, Delivery); 4] = [
    (
        "actix, middleware, unsigned",
        "actix-middleware",
        Delivery::Unsigned,
    ),
    (
        "axum, webhook-verify",
        "axum-webhook-verify",
        Delivery::Signed,
    ),
    (
        "axum, tower-github-webhook",
        "axum-github",
        Delivery::SignedForGitHub,
    ),
    (
        "actix, RequestSignature",
        "actix-request-signature",
        Delivery::Signed,
    ),
];

pub(crate) fn figures(rounds: u32, seconds: u32, with_peers: bool) -> Result<Vec<Figure>> {
    let peers = if with_peers { &PEERS[..] } else { &[] };
    let mut entrants = Vec::new();
    for &(name, variant, delivery) in SERVERS.iter().chain(peers) {
        let runs = Vec::new();
        entrants.push(Entrant {
            name,
            variant,
            delivery,
            runs,
        });
    }
    let mut servers = Vec::new();
    for entrant in &entrants {
        servers.push(Server::start(entrant.variant)?);
    }
    for round in 0..=rounds {
        for (entrant, server) in entrants.iter_mut().zip(&servers) {
            // The first run is a short warm-up.
            let run = server.run(entrant.delivery, if round == 0 { 1 } else { seconds })?;
            if round > 0 {
                entrant.runs.push(run);
            }
        }
    }
    let mut figures = vec![
        ratio("axum_with_layer_per_without", &entrants, 1, 0, 0.8),
        ratio("axum_with_layer_per_by_hand", &entrants, 1, 2, 0.9),
        ratio(
            "unsigned_rejected_per_accepted_without_layer",
            &entrants,
            3,
            0,
            0.8,
        ),
        ratio("actix_with_middleware_per_without", &entrants, 5, 4, 0.8),
    ];
    for (name, one, other) in [
        ("axum_with_layer_per_without", 1, 0),
        ("axum_with_layer_per_by_hand", 1, 2),
        ("unsigned_rejected_per_accepted_without_layer", 3, 0),
        ("actix_with_middleware_per_without", 5, 4),
    ] {
        let value = ratio_of(&entrants, one, other, |run| run.per_cpu_second);
        figures.push(Figure::reported(format!("{name}_by_cpu_time"), value));
    }
    let accepted = ratio_of(&entrants, 0, 3, |run| run.per_cpu_second);
    figures.push(Figure::at_most(
        "cpu_of_a_rejected_head_per_bare_request",
        accepted,
        1.1,
    ));
    for entrant in &entrants {
        let value = median(entrant.runs.iter().map(|run| run.per_second).collect());
        let name = entrant.name.replace(", ", "_").replace([' ', '-'], "_");
        figures.push(Figure::reported(
            format!("requests_per_second_{name}"),
            value,
        ));
    }
    Ok(figures)
}

fn ratio(name: &str, entrants: &[Entrant], one: usize, other: usize, limit: f64) -> Figure {
    let value = ratio_of(entrants, one, other, |run| run.per_second);
    Figure::at_least(name, value, limit)
}

fn ratio_of(entrants: &[Entrant], one: usize, other: usize, of: fn(&Run) -> f64) -> f64 {
    let runs = |index: usize| entrants.get(index).map_or(&[][..], |entrant| &entrant.runs);
    let pairs = runs(one).iter().zip(runs(other));
    median(pairs.map(|(one, other)| of(one) / of(other)).collect())
}

/// Server on the first core. Killed on drop.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(variant: &str) -> Result<Self> {
        let mut process = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program("server")?)
            .arg(variant)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let mut port = String::new();
        BufReader::new(output).read_line(&mut port)?;
        let port = port.trim().parse()?;
        Ok(Self { process, port })
    }

    /// Returns the resident memory of the process, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: u64 = line
            .and_then(|line| line.split_whitespace().next()?.parse().ok())
            .ok_or("the system does not report VmRSS")?;
        Ok(kilobytes * 1024)
    }

    /// Returns the CPU time of the process, in seconds.
    fn cpu_seconds(&self) -> Result<f64> {
        let mut nanoseconds = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            let on_core: f64 = times.split(' ').next().unwrap_or_default().parse()?;
            nanoseconds += on_core;
        }
        Ok(nanoseconds / 1e9)
    }

    fn run(&self, delivery: Delivery, seconds: u32) -> Result<Run> {
        let script = write_script(delivery)?;
        let before = self.cpu_seconds()?;
        let output = Command::new("taskset")
            .args(["-c", "1", "wrk", "-t1", &format!("-c{CONNECTIONS}")])
            .args([&format!("-d{seconds}s"), "-s"])
            .arg(&script)
            .arg(format!("http://127.0.0.1:{}/", self.port))
            .output()?;
        let used = self.cpu_seconds()? - before;
        let output = String::from_utf8(output.stdout)?;
        let number = |label: &str| {
            let line = output.lines().find(|line| line.contains(label))?;
            let number = |word: &str| word.parse::<f64>().ok();
            line.split_whitespace().find_map(number)
        };
        let requests = number("requests in").ok_or("wrk does not report the number of requests")?;
        let rejected = number("Non-2xx").unwrap_or(0.0);
        let expected = if delivery == Delivery::Unsigned {
            requests
        } else {
            0.0
        };
        if rejected != expected || output.contains("Socket errors") {
            return Err(format!("{rejected} of {requests} rejected:\n{output}").into());
        }
        Ok(Run {
            per_second: number("Requests/sec").ok_or("wrk does not report the rate")?,
            per_cpu_second: requests / used,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Returns the path of another program of this package, next to the current one.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// Writes the script of a run, with a delivery that is signed now.
fn write_script(delivery: Delivery) -> Result<PathBuf> {
    let body = delivery::body(delivery::EVENT_BYTES);
    let mut script = String::from("wrk.method = \"POST\"\n");
    script.push_str("wrk.headers[\"Content-Type\"] = \"application/json\"\n");
    let mut header = |name: &str, value: &str| {
        script.push_str(&format!("wrk.headers[\"{name}\"] = \"{value}\"\n"));
    };
    match delivery {
        Delivery::Signed => {
            let signed = sign(&body);
            header("X-Scrupp-Timestamp", signed.timestamp());
            header("X-Scrupp-Signature", signed.signature());
        }
        Delivery::SignedForGitHub => {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
            mac.update(&body);
            let digits = hex::encode(mac.finalize().into_bytes());
            header("X-Hub-Signature-256", &format!("sha256={digits}"));
        }
        Delivery::Unsigned => {}
    }
    script.push_str(&format!("wrk.body = [[{}]]\n", String::from_utf8(body)?));
    let path = Path::new(&std::env::temp_dir()).join(format!("scrupp-{}.lua", std::process::id()));
    fs::write(&path, script)?;
    Ok(path)
}
