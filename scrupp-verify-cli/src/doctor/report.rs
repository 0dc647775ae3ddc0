use core::time::Duration;

use anstyle::Style;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::{
    doctor::advice::advice,
    output::{BAD, GOOD, printable},
};

/// Result of a check.
pub(crate) struct Finding {
    pub(crate) id: &'static str,
    pub(crate) level: &'static str,
    pub(crate) is_must: bool,
    pub(crate) outcome: Outcome,
    pub(crate) sent: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) got: String,
    pub(crate) time: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    Fail,
    Skip,
    Info,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Info => "info",
        }
    }
}

impl Finding {
    /// Returns true if the finding makes the command fail.
    pub(crate) fn fails(&self, strict: bool) -> bool {
        self.outcome == Outcome::Fail && (self.is_must || strict)
    }

    pub(crate) fn to_text(&self) -> String {
        let style = match self.outcome {
            Outcome::Pass => GOOD,
            Outcome::Fail => BAD,
            Outcome::Skip | Outcome::Info => Style::new(),
        };
        let outcome = self.outcome.as_str();
        let Self {
            id, level, sent, ..
        } = self;
        let got = printable(&self.got);
        let line = format!("{style}{outcome}{style:#}  {level:<6}  {id:<30}  {sent}: {got}");
        match self.outcome {
            Outcome::Fail => format!("{line}\n{}", self.explanation()),
            _ => line,
        }
    }

    /// Returns the expected result, the reason and the fixes, indented.
    fn explanation(&self) -> String {
        let advice = advice(self.id);
        let mut text = format!("      expected: {}\n      {}", self.expected, advice.why);
        for (framework, fix) in advice.fix {
            let framework = match *framework {
                "" => String::new(),
                name => format!("{name}: "),
            };
            text.push_str(&format!("\n      {framework}{fix}"));
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        let advice = advice(self.id);
        let fix = |(framework, fix): &(&str, &str)| match *framework {
            "" => (*fix).to_owned(),
            name => format!("{name}: {fix}"),
        };
        let fix: Vec<_> = advice.fix.iter().map(fix).collect();
        json!({
            "id": self.id,
            "level": self.level,
            "result": self.outcome.as_str(),
            "sent": self.sent,
            "expected": self.expected,
            "got": self.got,
            "millis": self.time.as_millis() as u64,
            "why": advice.why,
            "fix": fix.join("\n"),
        })
    }
}

/// Returns the number of checks by outcome.
pub(crate) fn summary(findings: &[Finding]) -> String {
    let count = |outcome| {
        findings
            .iter()
            .filter(|finding| finding.outcome == outcome)
            .count()
    };
    format!(
        "{} checks: {} passed, {} failed, {} skipped, {} informational",
        findings.len(),
        count(Outcome::Pass),
        count(Outcome::Fail),
        count(Outcome::Skip),
        count(Outcome::Info),
    )
}

/// Returns the report as JSON.
pub(crate) fn json(url: &str, findings: &[Finding]) -> Result<Vec<u8>, String> {
    let checks: Vec<_> = findings.iter().map(Finding::to_json).collect();
    let report = json!({ "url": url, "checks": checks });
    serde_json::to_vec_pretty(&report).map_err(|why| why.to_string())
}

/// Returns the report as JUnit XML. A failed check of level SHOULD is a failure too.
pub(crate) fn junit(url: &str, findings: &[Finding]) -> Result<Vec<u8>, String> {
    let mut suite = TestSuite::new(url);
    for finding in findings {
        let mut status = match finding.outcome {
            Outcome::Pass | Outcome::Info => TestCaseStatus::success(),
            Outcome::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
            Outcome::Skip => TestCaseStatus::skipped(),
        };
        status.set_message(format!("{}: {}", finding.sent, finding.got));
        if finding.outcome == Outcome::Fail {
            status.set_description(finding.explanation());
        }
        let mut case = TestCase::new(finding.id, status);
        case.set_classname(finding.level).set_time(finding.time);
        suite.add_test_case(case);
    }
    let mut report = Report::new("scrupp-verify doctor");
    report.add_test_suite(suite);
    report
        .to_string()
        .map(Into::into)
        .map_err(|why| why.to_string())
}
