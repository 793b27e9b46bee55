//! The rule by which a candidate passes.
//!
//! Its primary metric (`accuracy`, or `r2` of numbers) on the test rows is above that of the
//! trivial baseline, and not less than the champion's on the same rows less a margin. A verdict
//! always has its reasons.
//!
//! - Without a primary metric (no test rows with a label, or a constant target) there is nothing
//!   to decide by: `no-policy`.
//! - A champion that predicts another target or does another ML task, or that can't predict the
//!   test rows, fails the candidate: to whoever asks the alias, the change would be more than a
//!   better answer, so a person has to want it.

use septet_kit::{
    evaluation::{Gate, Verdict},
    metrics::Metrics,
};

/// What is known of the champion.
#[derive(Clone, Debug, PartialEq)]
pub enum Rival {
    /// The alias is not set.
    None,
    /// The alias points at the candidate itself.
    Same {
        /// Its version.
        version: u32,
    },
    /// It was scored on the same rows.
    Scored {
        /// Its version.
        version: u32,
        /// Its metrics.
        metrics: Metrics,
    },
    /// It can't be compared.
    Apart {
        /// Its version.
        version: u32,
        /// A clause: `it predicts 'x', not 'y'`.
        reason: String,
    },
}

/// The verdict on a candidate that was scored on `rows` test rows.
///
/// `trivial` says what the baseline does: `always predicting 'yes'`.
pub fn judge(
    primary: &str,
    rows: u64,
    candidate: &Metrics,
    baseline: &Metrics,
    trivial: &str,
    rival: &Rival,
    margin: f64,
) -> Gate {
    let Some((score, least)) = candidate.get(primary).zip(baseline.get(primary)) else {
        let reason = if rows == 0 {
            "there are no test rows with a label to decide by".to_owned()
        } else {
            format!("{primary} is not defined on the {rows} test rows: the target is constant")
        };
        return Gate {
            verdict: Verdict::NoPolicy,
            reasons: vec![reason],
        };
    };
    let above = score > least;
    let mut reasons = vec![format!(
        "{primary} {score:.4} on {rows} test rows is {} {least:.4} of {trivial}",
        if above { "above the" } else { "not above the" },
    )];
    let mut pass = above;
    match rival {
        Rival::None => reasons.push("there is no champion to compare with".to_owned()),
        Rival::Same { version } => {
            reasons.push(format!("it is the champion, version {version}, itself"));
        }
        Rival::Apart { version, reason } => {
            pass = false;
            reasons.push(format!(
                "the champion, version {version}, can't be compared: {reason}; promote the \
                 candidate by hand if it is to take its place"
            ));
        }
        Rival::Scored { version, metrics } => {
            if let Some(champion) = metrics.get(primary) {
                let keeps = *score >= champion - margin;
                pass &= keeps;
                reasons.push(format!(
                    "it is {} the champion's (version {version}) {champion:.4} on the same rows \
                     less the margin of {margin}",
                    if keeps { "not below" } else { "below" },
                ));
            }
        }
    }
    Gate {
        verdict: if pass { Verdict::Pass } else { Verdict::Fail },
        reasons,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(score: f64, least: f64, rival: &Rival) -> Gate {
        let metrics = |value| Metrics::from([("accuracy".to_owned(), value)]);
        let trivial = "always predicting 'yes'";
        let (score, least) = (metrics(score), metrics(least));
        judge("accuracy", 100, &score, &least, trivial, rival, 0.005)
    }

    fn champion(accuracy: f64) -> Rival {
        Rival::Scored {
            version: 3,
            metrics: Metrics::from([("accuracy".to_owned(), accuracy)]),
        }
    }

    #[test]
    fn the_first_model_has_to_beat_the_baseline() {
        let passed = gate(0.9, 0.6, &Rival::None);
        assert_eq!(passed.verdict, Verdict::Pass);
        assert_eq!(
            passed.reasons,
            [
                "accuracy 0.9000 on 100 test rows is above the 0.6000 of always predicting 'yes'",
                "there is no champion to compare with"
            ]
        );
        assert_eq!(gate(0.6, 0.6, &Rival::None).verdict, Verdict::Fail);
    }

    #[test]
    fn the_next_one_may_be_worse_by_the_margin() {
        assert_eq!(gate(0.9, 0.6, &champion(0.904)).verdict, Verdict::Pass);
        let failed = gate(0.9, 0.6, &champion(0.91));
        assert_eq!(failed.verdict, Verdict::Fail);
        assert_eq!(
            failed.reasons[1],
            "it is below the champion's (version 3) 0.9100 on the same rows less the margin of \
             0.005"
        );
        assert_eq!(gate(0.5, 0.6, &champion(0.4)).verdict, Verdict::Fail);
    }

    #[test]
    fn a_champion_of_another_kind_needs_a_person() {
        let rival = Rival::Apart {
            version: 2,
            reason: "it predicts 'x', not 'y'".to_owned(),
        };
        let failed = gate(0.9, 0.6, &rival);
        assert_eq!(failed.verdict, Verdict::Fail);
        assert!(failed.reasons[1].contains("version 2") && failed.reasons[1].contains("'x'"));
        let same = gate(0.9, 0.6, &Rival::Same { version: 2 });
        assert_eq!(same.verdict, Verdict::Pass);
    }

    #[test]
    fn without_a_metric_there_is_no_policy() {
        let none = Metrics::new();
        for rows in [0, 5] {
            let gate = judge("r2", rows, &none, &none, "", &Rival::None, 0.005);
            assert_eq!(gate.verdict, Verdict::NoPolicy);
            assert_eq!(gate.reasons.len(), 1);
        }
    }
}
