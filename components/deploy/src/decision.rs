//! Whether the alias moves, from where, and why.

use septet_kit::evaluation::{Evaluation, Verdict};
use serde::Deserialize;

/// Bytes of a reason in the alias log.
const MAX_REASON: usize = 1_000;

/// The stage's parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The model's name.
    pub model: String,
    /// What moves.
    #[serde(default = "champion")]
    pub alias: String,
    /// Moves it whatever the gate says.
    #[serde(default)]
    pub promote: bool,
    /// How many versions were evaluated on this very test set, this one included, where the host
    /// knows it.
    #[serde(default)]
    pub test_uses: Option<u32>,
}

fn champion() -> String {
    "champion".to_owned()
}

/// What becomes of the alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It moves to this version.
    Move {
        /// The bundle that it must point at; none where it must not be set.
        expected: Option<String>,
        /// For the alias log.
        reason: String,
    },
    /// It stays.
    Stay {
        /// For the report.
        reason: String,
    },
}

/// Decides for the version of `bundle`; `current` is the bundle that the alias points at.
///
/// A gate's verdict holds against the champion that it compared with. So after a passed gate the
/// alias is expected to point there still: where it has moved meanwhile, the host sees it and has
/// the candidate evaluated again. A promotion by hand compares with nothing and expects what it
/// found.
pub fn decide(
    parameters: &Parameters,
    bundle: &str,
    current: Option<&str>,
    evaluation: &Evaluation,
) -> Decision {
    let alias = &parameters.alias;
    let gate = &evaluation.gate;
    let why = gate.reasons.join("; ");
    if current == Some(bundle) {
        return Decision::Stay {
            reason: format!("{alias} already points at this version"),
        };
    }
    if gate.verdict == Verdict::Pass && !parameters.promote {
        let champion = evaluation.champion.as_ref();
        return Decision::Move {
            expected: champion.map(|champion| champion.bundle.clone()),
            reason: bounded(format!("the gate passed: {why}")),
        };
    }
    if parameters.promote {
        return Decision::Move {
            expected: current.map(ToOwned::to_owned),
            reason: bounded(format!(
                "promoted on request; the gate said {}: {why}",
                gate.verdict.name()
            )),
        };
    }
    Decision::Stay {
        reason: bounded(match gate.verdict {
            Verdict::NoPolicy => format!("{alias} stays: the gate did not decide: {why}"),
            _ => format!("{alias} stays: the gate failed: {why}"),
        }),
    }
}

/// The text, cut at a character's border.
fn bounded(mut text: String) -> String {
    if text.len() > MAX_REASON {
        text.truncate(text.floor_char_boundary(MAX_REASON));
        text.push('…');
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use septet_kit::{
        evaluation::{
            Champion, ClassReport, Details, Difference, Differences, FORMAT, Gate, Intervals,
            Slice, Slices,
        },
        metrics::Interval,
    };

    use super::*;

    pub(crate) fn evaluation(verdict: Verdict, champion: Option<&str>) -> Evaluation {
        let interval = Interval {
            low: 0.8,
            high: 0.95,
        };
        let intervals: Intervals = [("accuracy".to_owned(), interval)].into();
        let difference = Difference {
            value: 0.1,
            low: 0.05,
            high: 0.15,
        };
        let differences: Differences = [("accuracy".to_owned(), difference)].into();
        Evaluation {
            format: FORMAT,
            rows: 1_000,
            units: 1_000,
            primary: "accuracy".to_owned(),
            positive: Some("yes".to_owned()),
            metrics: [("accuracy".to_owned(), 0.9), ("brier".to_owned(), 0.1)].into(),
            resamples: 1_000,
            intervals: intervals.clone(),
            baseline: [("accuracy".to_owned(), 0.8)].into(),
            baseline_differences: differences.clone(),
            champion: champion.map(|bundle| Champion {
                version: 1,
                bundle: bundle.to_owned(),
                metrics: [("accuracy".to_owned(), 0.8)].into(),
                intervals: Intervals::new(),
                differences,
            }),
            details: Details {
                classes: vec![ClassReport {
                    class: "yes".to_owned(),
                    rows: 600,
                    predicted: 590,
                    precision: 0.91,
                    recall: 0.9,
                    f1: 0.905,
                }],
                ..Details::default()
            },
            slices: Some(Slices {
                column: "region".to_owned(),
                slices: vec![Slice {
                    value: "north".to_owned(),
                    rows: 12,
                    metrics: [("accuracy".to_owned(), 0.5)].into(),
                    intervals,
                }],
            }),
            gate: Gate {
                verdict,
                reasons: vec!["because".to_owned()],
            },
        }
    }

    fn run(json: &str, current: Option<&str>, verdict: Verdict, rival: Option<&str>) -> Decision {
        let parameters: Parameters = serde_json::from_str(json).unwrap();
        decide(&parameters, "new", current, &evaluation(verdict, rival))
    }

    #[test]
    fn a_passed_gate_moves_the_alias_from_what_it_compared_with() {
        let plain = r#"{"model":"m"}"#;
        let Decision::Move { expected, reason } =
            run(plain, Some("old"), Verdict::Pass, Some("old"))
        else {
            panic!()
        };
        assert_eq!(expected.as_deref(), Some("old"));
        assert_eq!(reason, "the gate passed: because");
        // The alias was set after the evaluation: the swap must not succeed.
        let Decision::Move { expected, .. } = run(plain, Some("other"), Verdict::Pass, None) else {
            panic!()
        };
        assert_eq!(expected, None);
    }

    #[test]
    fn a_failed_gate_moves_nothing_unless_asked() {
        for verdict in [Verdict::Fail, Verdict::NoPolicy] {
            let stays = run(r#"{"model":"m"}"#, Some("old"), verdict, Some("old"));
            assert!(
                matches!(stays, Decision::Stay { reason } if reason.starts_with("champion stays"))
            );
            let promoted = r#"{"model":"m","alias":"best","promote":true}"#;
            let Decision::Move { expected, reason } =
                run(promoted, Some("now"), verdict, Some("old"))
            else {
                panic!()
            };
            assert_eq!(expected.as_deref(), Some("now"));
            assert!(reason.contains(verdict.name()), "{reason}");
        }
    }

    #[test]
    fn what_is_there_already_stays() {
        let stays = run(
            r#"{"model":"m","promote":true}"#,
            Some("new"),
            Verdict::Pass,
            None,
        );
        assert!(matches!(stays, Decision::Stay { .. }));
    }

    #[test]
    fn reasons_are_bounded() {
        let long = bounded("ä".repeat(MAX_REASON));
        assert!(long.len() <= MAX_REASON + 3 && long.ends_with('…'));
    }
}
