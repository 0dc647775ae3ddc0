//! The command `doctor`, which checks a receiver from outside.

mod advice;
mod checks;
mod endpoint;
mod report;

use core::{num::NonZeroU32, str::FromStr, time::Duration};
use std::{ffi::OsString, fs, path::PathBuf, sync::Arc};

use indicatif::ProgressBar;
use reqwest::Url;
use scrupp_verify_cli::{Group, Recipient};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    doctor::{
        checks::{Check, Doctor, Effects},
        endpoint::Endpoint,
        report::{Finding, Outcome},
    },
    input,
    output::{Error, Format, note},
    secrets::{Secrets, variable},
};

const UNSEEN: &str = "\
Not checked: constant-time comparison of signatures. Races between concurrent attempts, and claims that are
kept after a failure, are found only with --effects-url and a handler that is slow or fails.";

/// Exclusive limit of `--process-id-base`.
const LARGEST_ID: u64 = i64::MAX as u64 - 1_000_000_000;

/// Checks whether a receiver verifies deliveries correctly.
///
/// By default, sends only deliveries that a receiver must reject.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify doctor http://127.0.0.1:3000/webhooks/scrupp
  scrupp-verify doctor URL --genuine --effects-url http://127.0.0.1:3000/stats --effects-pointer /count
  scrupp-verify doctor URL --genuine --large --slow --raw --report junit=doctor.xml
  scrupp-verify doctor URL --only time/ --list")]
pub(crate) struct Args {
    /// URL of the receiver
    url: Url,
    /// Also sends genuine deliveries, which the receiver handles
    #[arg(long)]
    genuine: bool,
    /// Also sends bodies of up to 64 MiB
    #[arg(long)]
    large: bool,
    /// Also sends bodies that stall, which takes half a minute
    #[arg(long)]
    slow: bool,
    /// Also sends requests that no HTTP client sends
    #[arg(long)]
    raw: bool,
    /// Runs only the checks whose id starts with this prefix
    #[arg(long, value_name = "PREFIX")]
    only: Vec<String>,
    /// Skips the checks whose id starts with this prefix
    #[arg(long, value_name = "PREFIX")]
    skip: Vec<String>,
    /// Lists the selected checks, and sends nothing
    #[arg(long)]
    list: bool,
    /// Also fails if a check of level SHOULD fails
    #[arg(long)]
    strict: bool,
    /// Runs at most this many checks at once
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "4",
        conflicts_with = "effects_url"
    )]
    jobs: NonZeroU32,
    /// Sends at most this many requests per second
    #[arg(long, value_name = "NUMBER")]
    rate: Option<NonZeroU32>,
    /// Environment variable with the previous secret. By default, the name in --secret-env, followed by _PREVIOUS
    #[arg(long, value_name = "NAME")]
    previous_secret_env: Option<OsString>,
    /// First process id of the events. By default, derived from the time, and below 2^31
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64).range(..LARGEST_ID))]
    process_id_base: Option<u64>,
    /// URL of a JSON document with the number or the list of handled deliveries
    #[arg(long, value_name = "URL")]
    effects_url: Option<Url>,
    /// JSON Pointer to the number or the list. By default, the whole document
    #[arg(
        long,
        value_name = "POINTER",
        default_value = "",
        requires = "effects_url"
    )]
    effects_pointer: String,
    /// Also writes a report: json=FILE or junit=FILE
    #[arg(long, value_name = "KIND=FILE")]
    report: Vec<Report>,
    #[command(flatten)]
    secrets: Secrets,
}

#[derive(Clone)]
struct Report {
    write: fn(&str, &[Finding]) -> Result<Vec<u8>, String>,
    file: PathBuf,
}

impl FromStr for Report {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (write, file) = match text.split_once('=') {
            Some(("json", file)) => (report::json as _, file),
            Some(("junit", file)) => (report::junit as _, file),
            _ => return Err("expected json=FILE or junit=FILE"),
        };
        let file = file.into();
        Ok(Self { write, file })
    }
}

impl Args {
    pub(crate) async fn run(mut self, format: Format) -> Result<bool, Error> {
        let recipient = Arc::new(self.recipient()?);
        let process_id = match self.process_id_base {
            Some(process_id) => process_id,
            None => input::time(None)?.as_secs() * 1000 % (1 << 31),
        };
        let checks = checks::all(&recipient, &self.url, process_id);
        let checks: Vec<_> = checks.into_iter().filter(|c| self.selects(c)).collect();
        if checks.is_empty() {
            return Err(Error::Usage("no checks are selected".to_owned()));
        }
        if self.list {
            for check in &checks {
                let text = format!("{:<6} {:<30} {}", check.level(), check.id, check.sent);
                format.write(&text, &check.to_json())?;
            }
            return Ok(true);
        }
        let effects = match self.effects_url.take() {
            Some(url) => Some(Effects::new(url, &self.effects_pointer).await?),
            None => None,
        };
        let endpoint = Endpoint::new(&self.url, self.rate).await?;
        let jobs = if effects.is_some() {
            1
        } else {
            self.jobs.get()
        };
        let doctor = Arc::new(Doctor::new(endpoint, recipient, effects));
        doctor.find_receiver(process_id + 10_000).await?;
        let findings = examine(&doctor, checks, jobs as usize).await?;

        for finding in &findings {
            format.write(&finding.to_text(), &finding.to_json())?;
        }
        for Report { write, file } in &self.report {
            let written = write(self.url.as_str(), &findings)
                .and_then(|report| fs::write(file, report).map_err(|why| why.to_string()));
            written.map_err(|why| Error::failed(file.display(), why))?;
        }
        note(&report::summary(&findings));
        note(UNSEEN);
        Ok(!findings.iter().any(|finding| finding.fails(self.strict)))
    }

    fn recipient(&self) -> Result<Recipient, Error> {
        let mut secrets = match self.secrets.read() {
            // Nothing is sent, so the secret does not matter.
            Err(_) if self.list => vec![b"secret".to_vec()],
            secrets => secrets?,
        }
        .into_iter();
        let secret = secrets.next().unwrap_or_default();
        self.secrets.validate(0, &secret)?;
        let previous_secret = match &self.previous_secret_env {
            Some(name) => {
                let why = "--previous-secret-env: the variable is not set";
                Some(variable(name).ok_or(Error::Usage(why.to_owned()))?)
            }
            None => secrets.next(),
        };
        Ok(Recipient {
            host: endpoint::authority(&self.url)?,
            target: endpoint::target(&self.url),
            secret,
            previous_secret,
            content_type: Some("application/json"),
            meta: Some(r#"{"scrupp_verify_doctor":true}"#),
        })
    }

    fn selects(&self, check: &Check) -> bool {
        let matches = |ids: &[String]| ids.iter().any(|id| check.id.starts_with(id));
        let in_group = match check.group {
            Group::Large => self.large,
            Group::Slow => self.slow,
            Group::Raw => self.raw,
            _ => true,
        };
        in_group
            && (self.genuine || !check.is_genuine)
            && (self.only.is_empty() || matches(&self.only))
            && !matches(&self.skip)
    }
}

/// Runs the checks, and returns their findings in the order of the checks.
///
/// Checks that explain other failures run first, and checks that evaluate earlier responses run last.
async fn examine(
    doctor: &Arc<Doctor>,
    checks: Vec<Check>,
    jobs: usize,
) -> Result<Vec<Finding>, Error> {
    let order: Vec<_> = checks.iter().map(|check| check.id).collect();
    let explaining: Vec<_> = checks
        .iter()
        .flat_map(|check| check.after.clone())
        .collect();
    let (last, checks): (Vec<_>, Vec<_>) = checks.into_iter().partition(Check::looks_back);
    let (first, rest): (Vec<_>, Vec<_>) = checks
        .into_iter()
        .partition(|check| explaining.contains(&check.id));

    let progress = ProgressBar::new(order.len() as u64);
    progress.enable_steady_tick(Duration::from_millis(100));
    let mut findings = Vec::new();
    for check in first {
        findings.push(run(doctor, check, &findings).await?);
        progress.inc(1);
    }
    let permits = Arc::new(Semaphore::new(jobs));
    let mut running = JoinSet::new();
    for check in rest {
        if let Some(id) = explanation(&check, &findings) {
            findings.push(check.skip(id));
            continue;
        }
        let (doctor, permits) = (Arc::clone(doctor), Arc::clone(&permits));
        let progress = progress.clone();
        running.spawn(async move {
            let _permit = permits.acquire().await;
            let finding = doctor.run(check).await;
            progress.inc(1);
            finding
        });
    }
    for finding in running.join_all().await {
        findings.push(finding?);
    }
    for check in last {
        findings.push(run(doctor, check, &findings).await?);
    }
    progress.finish_and_clear();
    findings.sort_by_key(|finding| order.iter().position(|id| *id == finding.id));
    Ok(findings)
}

/// Runs a check, unless an earlier failure explains its result.
async fn run(doctor: &Arc<Doctor>, check: Check, findings: &[Finding]) -> Result<Finding, Error> {
    match explanation(&check, findings) {
        Some(id) => Ok(check.skip(id)),
        None => doctor.run(check).await,
    }
}

/// Returns the id of an earlier failure that explains the result of this check.
fn explanation(check: &Check, findings: &[Finding]) -> Option<&'static str> {
    let explains = |id: &&&str| {
        let of = |finding: &&Finding| finding.id == **id;
        let finding = findings.iter().find(of);
        finding.is_some_and(|finding| matches!(finding.outcome, Outcome::Fail | Outcome::Skip))
    };
    check.after.iter().find(explains).copied()
}
