use std::collections::BTreeMap;

use scrupp_verify_tests::{Attempt, Retries, is_acknowledged};

use crate::{Harm, servers::Fault};

/// The outcomes of all deliveries.
#[derive(Default)]
pub(crate) struct Report {
    deliveries: usize,
    attempts: usize,
    acknowledged: usize,
    handled: usize,
    handled_once: usize,
    again_after_kill: usize,
    again_after_failed_commit: usize,
    again_after_power_loss: usize,
    again_without_reason: usize,
    in_flight: usize,
}

impl Report {
    pub(crate) fn new(
        deliveries: &[Vec<Attempt>],
        harm: &Harm,
        in_flight: usize,
        log: &str,
    ) -> Self {
        let mut report = Self {
            deliveries: deliveries.len(),
            attempts: deliveries.iter().map(Vec::len).sum(),
            acknowledged: deliveries.iter().filter(|a| is_acknowledged(a)).count(),
            in_flight,
            ..Self::default()
        };
        // For each delivery: the processes that handled it, and the results of their commits.
        let mut handled = BTreeMap::<&str, Vec<(&str, Option<&str>)>>::new();
        for line in log.lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["success", pid, id] => handled.entry(id).or_default().push((pid, None)),
                ["commit", pid, id, result] => {
                    let mut successes = handled.entry(id).or_default().iter_mut();
                    let committed = successes.rfind(|(by, result)| by == pid && result.is_none());
                    *committed.map(|(_, result)| result).expect("a success") = Some(result);
                }
                _ => panic!("unexpected log line: {line}"),
            }
        }
        report.handled = handled.len();
        for successes in handled.values() {
            // For each success except the last one, counts the reason for the next success.
            let Some((_, earlier)) = successes.split_last() else {
                continue;
            };
            report.handled_once += usize::from(earlier.is_empty());
            for (pid, commit) in earlier {
                let killed = pid.parse().is_ok_and(|pid| harm.killed.contains(&pid));
                match commit {
                    Some("done") if harm.count(Fault::PowerLoss) > 0 => {
                        report.again_after_power_loss += 1
                    }
                    Some("done") => report.again_without_reason += 1,
                    None if killed => report.again_after_kill += 1,
                    None | Some("failed") if harm.includes_the_store() => {
                        report.again_after_failed_commit += 1
                    }
                    _ => report.again_without_reason += 1,
                }
            }
        }
        report
    }

    /// Returns the number of deliveries that were acknowledged but not handled, or never
    /// acknowledged.
    fn lost(&self) -> usize {
        self.acknowledged.saturating_sub(self.handled) + (self.deliveries - self.acknowledged)
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.lost() == 0 && self.again_without_reason == 0 && self.in_flight == 0
    }

    pub(crate) fn print(&self, retries: Retries, harm: &Harm) {
        println!("retries {retries:?}");
        println!("  deliveries           {}", self.deliveries);
        println!("  attempts             {}", self.attempts);
        println!("  acknowledged         {}", self.acknowledged);
        println!("  handled once         {}", self.handled_once);
        println!("  handled again because");
        println!(
            "    killed before the commit      {}",
            self.again_after_kill
        );
        println!(
            "    no reply to the commit        {}",
            self.again_after_failed_commit
        );
        println!(
            "    forgotten after power loss    {}",
            self.again_after_power_loss
        );
        println!(
            "    no known reason               {}",
            self.again_without_reason
        );
        println!("  claims left          {}", self.in_flight);
        println!("  lost                 {}", self.lost());
        println!("  receivers killed     {}", harm.killed.len());
        for (fault, count) in &harm.faults {
            println!("  {:<20} {count}", fault.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(deliveries: &[Vec<Attempt>], killed: &[u32], log: &str) -> Report {
        let harm = Harm {
            killed: killed.iter().copied().collect(),
            ..Harm::default()
        };
        Report::new(deliveries, &harm, 0, log)
    }

    #[test]
    fn counts_delivery_handled_again_after_its_commit() {
        let log = "success 1 a\ncommit 1 a done\nsuccess 2 a\ncommit 2 a done\n";
        let report = report(&[vec![Some(200)]], &[1], log);
        assert_eq!(report.again_without_reason, 1);
        assert!(!report.is_sound());
    }

    #[test]
    fn counts_delivery_handled_again_after_its_receiver_was_killed() {
        let log = "success 1 a\nsuccess 2 a\ncommit 2 a done\n";
        let killed = report(&[vec![None, Some(200)]], &[1], log);
        assert_eq!((killed.again_after_kill, killed.is_sound()), (1, true));
        let alive = report(&[vec![None, Some(200)]], &[], log);
        assert_eq!((alive.again_without_reason, alive.is_sound()), (1, false));
    }

    #[test]
    fn counts_delivery_handled_again_after_a_failed_commit() {
        let harm = Harm {
            faults: [(Fault::Silence, 1)].into(),
            ..Harm::default()
        };
        let log = "success 1 a\ncommit 1 a failed\nsuccess 1 a\ncommit 1 a done\n";
        let report = Report::new(&[vec![Some(200)]], &harm, 0, log);
        assert_eq!(report.again_after_failed_commit, 1);
        assert!(report.is_sound());
    }

    #[test]
    fn counts_delivery_handled_again_after_power_loss() {
        let harm = Harm {
            faults: [(Fault::PowerLoss, 1)].into(),
            ..Harm::default()
        };
        let log = "success 1 a\ncommit 1 a done\nsuccess 2 a\ncommit 2 a done\n";
        let report = Report::new(&[vec![Some(200)]], &harm, 0, log);
        assert_eq!(
            (report.again_after_power_loss, report.is_sound()),
            (1, true)
        );
    }

    #[test]
    fn counts_lost_deliveries() {
        let never_handled = report(&[vec![Some(200)]], &[], "");
        assert_eq!((never_handled.lost(), never_handled.is_sound()), (1, false));
        let never_acknowledged = report(&[vec![Some(503), None]], &[], "");
        assert_eq!(
            (never_acknowledged.lost(), never_acknowledged.is_sound()),
            (1, false)
        );
    }
}
