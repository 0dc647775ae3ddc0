//! The files in `observability/` and the code use the same names.

use std::collections::BTreeSet;

use scrupp_verify_core::RejectionKind;
use serde_json::Value;

use crate::DASHBOARD;

const ALERTS: &str = include_str!("../../../observability/prometheus/alerts.yaml");
const ALERTS_TEST: &str = include_str!("../../../observability/prometheus/alerts_test.yaml");
const RUNBOOK: &str = include_str!("../../../observability/RUNBOOK.md");
const CODE: &str = include_str!("../../../scrupp-verify-metrics/src/lib.rs");

/// All metrics. Metrics in seconds are histograms.
const METRICS: [&str; 9] = [
    "scrupp_verify_deliveries_total",
    "scrupp_verify_verified_total",
    "scrupp_verify_delivery_age_seconds",
    "scrupp_verify_receive_seconds",
    "scrupp_verify_handler_seconds",
    "scrupp_verify_store_operation_seconds",
    "scrupp_verify_unverified_bytes",
    "scrupp_verify_unverified_bytes_limit",
    "scrupp_verify_lease_lost_total",
];

#[test]
fn every_metric_in_the_files_exists() {
    for text in [ALERTS, ALERTS_TEST, DASHBOARD, RUNBOOK] {
        assert!(series(text).count() > 0);
        for name in series(text) {
            assert!(metric(name).is_some(), "{name} is not a series");
        }
    }
}

#[test]
fn every_metric_is_in_the_code_and_in_its_documentation() {
    let in_code = CODE
        .lines()
        .filter_map(|line| line.strip_prefix("const ")?.split('"').nth(1));
    assert_eq!(in_code.collect::<BTreeSet<_>>(), BTreeSet::from(METRICS));
    let documented = CODE
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `scrupp_verify_")?.split_once('`'));
    let documented: BTreeSet<_> = documented
        .map(|(name, _)| format!("scrupp_verify_{name}"))
        .collect();
    let metrics = METRICS.map(str::to_owned);
    assert_eq!(documented, BTreeSet::from(metrics));
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let expressions = expressions(&dashboard());
    let shown: BTreeSet<_> = series(&expressions).filter_map(metric).collect();
    assert_eq!(shown, BTreeSet::from(METRICS));
}

#[test]
fn every_label_in_the_files_exists() {
    let dashboard = expressions(&dashboard());
    let runbook = RUNBOOK
        .split("```")
        .filter(|block| block.starts_with("promql"));
    let runbook: String = runbook.collect();
    for text in [ALERTS, ALERTS_TEST, &dashboard, &runbook] {
        let matchers = matchers(text);
        for (label, values) in &matchers {
            for value in values.split('|') {
                assert!(is_label_value(label, value), "{label}=\"{value}\"");
            }
        }
        for list in text.split("by (").skip(1) {
            for label in list[..list.find(')').unwrap()].split(", ") {
                let is_known = matches!(
                    label,
                    "job"
                        | "instance"
                        | "le"
                        | "outcome"
                        | "reason"
                        | "secret_index"
                        | "operation"
                        | "result"
                );
                assert!(is_known, "by ({label})");
            }
        }
    }
}

#[test]
fn every_alert_has_a_section_and_every_section_an_alert() {
    let sections: Vec<_> = RUNBOOK
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .filter(|heading| *heading != "Install")
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let links: Vec<_> = fields("runbook: observability/RUNBOOK.md#").collect();
    assert_eq!(links, sections);
    let names: Vec<_> = alerts().map(kebab_case).collect();
    assert_eq!(names, sections);
}

#[test]
fn every_alert_has_a_severity_a_summary_and_a_description() {
    for alert in ALERTS.split("- alert: ").skip(1) {
        let severity = alert
            .split("severity: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        assert!(
            matches!(severity, Some("page" | "ticket" | "info")),
            "{alert}"
        );
        for annotation in ["summary: \"{{ $labels.", "description: >-\n"] {
            assert!(
                alert.contains(annotation),
                "{annotation} is missing: {alert}"
            );
        }
    }
}

#[test]
fn every_alert_fires_in_a_test() {
    assert!(alerts().count() > 0);
    for alert in alerts() {
        let fires = format!("alertname=\"{alert}\", alertstate=\"firing\"");
        assert!(ALERTS_TEST.contains(&fires), "{alert}");
    }
}

#[test]
fn dashboard_has_the_shape_that_grafana_imports() {
    let dashboard = dashboard();
    assert!(dashboard["id"].is_null(), "the id must be null");
    assert!(is_text(&dashboard["title"]) && is_text(&dashboard["uid"]));
    assert!(dashboard["schemaVersion"].is_u64());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables: Vec<_> = variables
        .iter()
        .map(|of| [&of["name"], &of["type"]])
        .collect();
    let expected = [
        ["datasource", "datasource"],
        ["job", "query"],
        ["instance", "query"],
    ];
    assert_eq!(variables, expected);

    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = &panel["title"];
        assert!(is_text(title) && is_text(&panel["description"]), "{title}");
        assert!(is_text(&panel["type"]), "{title}");
        assert!(
            is_text(&panel["fieldConfig"]["defaults"]["unit"]),
            "{title}: unit"
        );
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: id");

        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(
            w > 0 && h > 0 && x + w <= 24,
            "{title}: outside of the grid"
        );
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{title}: overlaps at {cell:?}");
        }

        let mut refs = BTreeSet::new();
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in targets {
            assert_eq!(target["datasource"]["type"], "prometheus", "{title}");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            assert!(
                refs.insert(target["refId"].as_str().unwrap()),
                "{title}: refId"
            );
            // Both variables select each series.
            let expression = target["expr"].as_str().unwrap();
            let selected = expression
                .matches(r#"{job=~"$job", instance=~"$instance""#)
                .count();
            assert_eq!(selected, series(expression).count(), "{expression}");
        }
    }
}

/// Returns every word that has the prefix of the metrics.
fn series(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    words.filter(|word| word.starts_with("scrupp_verify_"))
}

/// Returns the metric of a series. A histogram has three series, and none has the name of the
/// metric.
fn metric(series: &str) -> Option<&'static str> {
    METRICS
        .into_iter()
        .find(|metric| match series.strip_prefix(metric) {
            Some("_bucket" | "_sum" | "_count") => metric.ends_with("_seconds"),
            Some("") => !metric.ends_with("_seconds"),
            _ => false,
        })
}

/// Returns the label and the value of each matcher, such as `label="value"`, `label=~"value"` or
/// `label!="value"`.
fn matchers(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('"') {
        let before = text[..at].trim_end_matches('~');
        let Some(before) = before.strip_suffix('=') else {
            continue;
        };
        let before = before.trim_end_matches('!');
        let label = before.rfind(|c: char| !c.is_ascii_lowercase() && c != '_');
        let label = &before[label.map_or(0, |separator| separator + 1)..];
        let value = &text[at + 1..];
        found.push((label, &value[..value.find('"').unwrap()]));
    }
    assert!(!found.is_empty());
    found
}

fn is_label_value(label: &str, value: &str) -> bool {
    match label {
        "outcome" => matches!(
            value,
            "handled" | "failed" | "dropped" | "duplicate" | "rejected"
        ),
        "reason" => {
            let is_name = |kind: &RejectionKind| kind.as_str() == value;
            value == "none" || RejectionKind::ALL.iter().any(is_name)
        }
        "secret_index" => matches!(value, "0" | "1" | "2" | "3"),
        "operation" => matches!(value, "claim" | "commit" | "release"),
        "result" => matches!(value, "ok" | "failed" | "timed_out"),
        "alertname" => alerts().any(|alert| alert == value),
        "alertstate" => value == "firing",
        "severity" => matches!(value, "page" | "ticket" | "info"),
        "job" | "instance" => true,
        _ => false,
    }
}

fn alerts() -> impl Iterator<Item = &'static str> {
    fields("- alert: ")
}

/// Returns the rest of each line that has this prefix in the alerts file.
fn fields(start: &'static str) -> impl Iterator<Item = &'static str> {
    ALERTS
        .lines()
        .filter_map(move |line| line.trim_start().strip_prefix(start))
}

/// Returns the name of an alert in kebab case: `old-secret` for `ScruppVerifyOldSecret`.
fn kebab_case(alert: &str) -> String {
    let name = alert.strip_prefix("ScruppVerify").unwrap();
    let words = name.split_inclusive(|_: char| true).map(|c| {
        let is_first = c.starts_with(char::is_uppercase);
        format!("{}{}", if is_first { "-" } else { "" }, c.to_lowercase())
    });
    words.collect::<String>().trim_start_matches('-').to_owned()
}

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).unwrap()
}

fn expressions(dashboard: &Value) -> String {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    targets
        .map(|target| target["expr"].as_str().unwrap())
        .collect()
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}
