//! The rule by which a candidate passes.
//!
//! Its metric on the test rows is above that of the trivial baseline, and not below the champion's
//! on the same rows less a margin, both by the lower bound of the paired 95 % bootstrap of the
//! difference. A verdict always has its reasons, with the figures.
//!
//! - Where nothing can be decided (no test rows with a label, a constant target, no resamples) or
//!   no policy was asked for, the verdict is `no-policy`.
//! - A champion that predicts another target or does another ML task, or that can't be read or
//!   can't predict the test rows, fails the candidate: to whoever asks the alias, the change would
//!   be more than a better answer, so a person has to want it.

use septet_kit::{
    evaluation::{Difference, Gate, Verdict},
    metrics::Interval,
};

use crate::{
    parameters::{Policy, sign},
    units::counted,
};

/// Below this, a difference is rounding.
const ROUNDING: f64 = 1e-9;
/// Test rows, or units of them, below which a failure may be for want of rows.
const FEW: u64 = 100;

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
        /// Its metric; none where it is not defined.
        score: Option<f64>,
        /// Candidate less champion.
        difference: Option<Difference>,
    },
    /// It can't be compared.
    Apart {
        /// Its version.
        version: u32,
        /// A clause: `it predicts 'x', not 'y'`.
        reason: String,
    },
}

/// What the candidate showed.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// The metric that decides.
    pub metric: &'a str,
    /// Test rows that were scored.
    pub rows: u64,
    /// Units that the resamples draw: the rows, or fewer where some of them belong together.
    pub units: u64,
    /// What the units are: `groups`.
    pub noun: &'a str,
    /// Whether their target has only one value.
    pub constant: bool,
    /// The candidate's; none where it is not defined.
    pub score: Option<f64>,
    /// Of the score.
    pub interval: Option<Interval>,
    /// The baseline's score.
    pub least: Option<f64>,
    /// Candidate less baseline.
    pub difference: Option<Difference>,
    /// What the baseline does: `always predicting 'yes'`.
    pub trivial: String,
}

/// The verdict on a candidate.
pub fn judge(shown: &Shown<'_>, rival: &Rival, margin: f64, policy: Policy) -> Gate {
    let Shown {
        metric,
        rows,
        units,
        noun,
        ..
    } = shown;
    let counted = counted(*rows, *units, noun);
    let undecided = |reason| Gate {
        verdict: Verdict::NoPolicy,
        reasons: vec![reason],
    };
    if *rows == 0 {
        return undecided("there are no test rows with a label to decide by".to_owned());
    }
    let Some((score, least)) = shown.score.zip(shown.least).filter(|_| !shown.constant) else {
        let why = if shown.constant {
            "their target is constant"
        } else {
            "it is not defined on them"
        };
        return undecided(format!(
            "{metric} tells nothing on the {rows} test rows: {why}"
        ));
    };
    let interval = shown.interval.map_or_else(String::new, |interval| {
        format!(
            " (95 % interval {:.4} to {:.4})",
            interval.low, interval.high
        )
    });
    let mut reasons = vec![format!("{metric} is {score:.4}{interval} on {counted}")];
    let other = format!("the {least:.4} of {}", shown.trivial);
    let above = against(
        shown.difference.map(|difference| gain(metric, difference)),
        |gain| gain.low > ROUNDING,
        ["is better", "is not surely better"],
        &format!("than {other}"),
    );
    let beside = beside(metric, rival, margin);
    let verdict = match (above.0, beside.0) {
        (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
        (Verdict::Pass, Verdict::Pass) => Verdict::Pass,
        _ => Verdict::NoPolicy,
    };
    reasons.extend([above.1, beside.1]);
    if verdict == Verdict::Fail && *units < FEW && !matches!(rival, Rival::Apart { .. }) {
        reasons.push(format!(
            "{counted} are few: with more of them the intervals would be narrower"
        ));
    }
    if policy == Policy::None {
        reasons.insert(0, "the policy is none, so a person decides".to_owned());
        return Gate {
            verdict: Verdict::NoPolicy,
            reasons,
        };
    }
    Gate { verdict, reasons }
}

/// What the champion says to it.
fn beside(metric: &str, rival: &Rival, margin: f64) -> (Verdict, String) {
    match rival {
        Rival::None => (
            Verdict::Pass,
            "there is no champion to compare with".to_owned(),
        ),
        Rival::Same { version } => (
            Verdict::Pass,
            format!("it is the champion, version {version}, itself"),
        ),
        Rival::Apart { version, reason } => (
            Verdict::Fail,
            format!(
                "the champion, version {version}, can't be compared: {reason}; promote the \
                 candidate by hand if it is to take its place"
            ),
        ),
        Rival::Scored {
            version,
            score,
            difference,
        } => {
            let score = score.map_or_else(String::new, |score| format!(" {score:.4}"));
            against(
                difference.map(|difference| gain(metric, difference)),
                |gain| gain.low >= -margin - ROUNDING,
                ["is not worse", "may be worse"],
                &format!(
                    "than the champion's{score} (version {version}) on the same rows by more than \
                     the margin of {margin}"
                ),
            )
        }
    }
}

/// Whether a gain is enough, in words; without one nothing can be said.
fn against(
    gain: Option<Difference>,
    enough: impl Fn(&Difference) -> bool,
    [yes, no]: [&str; 2],
    than: &str,
) -> (Verdict, String) {
    let Some(gain) = gain else {
        let reason = format!("there is no interval to say whether it {yes} {than}");
        return (Verdict::NoPolicy, reason);
    };
    let (verdict, is) = if enough(&gain) {
        (Verdict::Pass, yes)
    } else {
        (Verdict::Fail, no)
    };
    (verdict, format!("it {is} {than}: {}", spelled(gain)))
}

/// By how much the candidate is better, whichever way the metric goes.
fn gain(metric: &str, difference: Difference) -> Difference {
    if sign(metric) > 0.0 {
        return difference;
    }
    Difference {
        value: -difference.value,
        low: -difference.high,
        high: -difference.low,
    }
}

fn spelled(gain: Difference) -> String {
    let Difference { value, low, high } = gain;
    format!("better by {value:.4}, paired 95 % interval {low:.4} to {high:.4}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(value: f64, low: f64, high: f64) -> Difference {
        Difference { value, low, high }
    }

    fn shown(metric: &str, difference: Option<Difference>) -> Shown<'_> {
        Shown {
            metric,
            rows: 200,
            units: 200,
            noun: "groups",
            constant: false,
            score: Some(0.9),
            interval: None,
            least: Some(0.5),
            difference,
            trivial: "always predicting 'yes'".to_owned(),
        }
    }

    fn gate(low: f64, rival: &Rival) -> Gate {
        let shown = shown("accuracy", Some(difference(0.4, low, 0.5)));
        judge(&shown, rival, 0.005, Policy::Default)
    }

    fn scored(low: f64) -> Rival {
        Rival::Scored {
            version: 3,
            score: Some(0.9),
            difference: Some(difference(0.0, low, 0.01)),
        }
    }

    #[test]
    fn the_lower_bound_is_above_the_baseline() {
        let passed = gate(0.3, &Rival::None);
        assert_eq!(passed.verdict, Verdict::Pass);
        assert_eq!(
            passed.reasons,
            [
                "accuracy is 0.9000 on 200 test rows",
                "it is better than the 0.5000 of always predicting 'yes': better by 0.4000, \
                 paired 95 % interval 0.3000 to 0.5000",
                "there is no champion to compare with",
            ]
        );
        for low in [0.0, 1e-12, -0.1] {
            let failed = gate(low, &Rival::None);
            assert_eq!(failed.verdict, Verdict::Fail);
            assert!(failed.reasons[1].starts_with("it is not surely better"));
        }
    }

    #[test]
    fn the_champion_is_kept_up_with() {
        assert_eq!(gate(0.3, &scored(0.001)).verdict, Verdict::Pass);
        assert_eq!(gate(0.3, &scored(-0.005)).verdict, Verdict::Pass);
        let failed = gate(0.3, &scored(-0.006));
        assert_eq!(failed.verdict, Verdict::Fail);
        assert_eq!(
            failed.reasons[2],
            "it may be worse than the champion's 0.9000 (version 3) on the same rows by more than \
             the margin of 0.005: better by 0.0000, paired 95 % interval -0.0060 to 0.0100"
        );
        let same = gate(0.3, &Rival::Same { version: 4 });
        assert_eq!(same.verdict, Verdict::Pass);
        assert!(same.reasons[2].contains("version 4"));
        let apart = Rival::Apart {
            version: 2,
            reason: "it predicts 'x', not 'y'".to_owned(),
        };
        let apart = gate(0.3, &apart);
        assert_eq!(apart.verdict, Verdict::Fail);
        assert!(apart.reasons[2].contains("it predicts 'x', not 'y'"));
    }

    #[test]
    fn less_is_better_where_it_is() {
        let judged = |low, high| {
            let shown = shown("log_loss", Some(difference(-0.2, low, high)));
            judge(&shown, &Rival::None, 0.005, Policy::Default)
        };
        let passed = judged(-0.3, -0.1);
        assert_eq!(passed.verdict, Verdict::Pass);
        assert!(passed.reasons[1].contains("better by 0.2000, paired 95 % interval 0.1000"));
        assert_eq!(judged(-0.3, 0.1).verdict, Verdict::Fail);
    }

    #[test]
    fn where_nothing_can_be_decided_nobody_does() {
        let judged = |shown: &Shown<'_>, policy| judge(shown, &Rival::None, 0.005, policy);
        let known = shown("accuracy", Some(difference(0.4, 0.3, 0.5)));
        let none = judged(&known, Policy::None);
        assert_eq!(none.verdict, Verdict::NoPolicy);
        assert!(none.reasons[0].contains("policy is none"));
        assert_eq!(none.reasons.len(), 4);
        for (wrong, reason) in [
            (
                Shown {
                    rows: 0,
                    ..known.clone()
                },
                "no test rows",
            ),
            (
                Shown {
                    constant: true,
                    ..known.clone()
                },
                "constant",
            ),
            (
                Shown {
                    score: None,
                    ..known.clone()
                },
                "not defined",
            ),
        ] {
            let gate = judged(&wrong, Policy::Default);
            assert_eq!(gate.verdict, Verdict::NoPolicy);
            assert!(gate.reasons[0].contains(reason), "{:?}", gate.reasons);
        }
        let open = judged(&shown("accuracy", None), Policy::Default);
        assert_eq!(open.verdict, Verdict::NoPolicy);
        assert!(open.reasons[1].contains("no interval"));
    }

    #[test]
    fn few_rows_are_told() {
        let few = Shown {
            rows: 20,
            units: 20,
            ..shown("accuracy", Some(difference(0.1, -0.1, 0.3)))
        };
        let gate = judge(&few, &Rival::None, 0.005, Policy::Default);
        assert!(gate.reasons[3].starts_with("20 test rows are few"));
        let grouped = Shown {
            rows: 2_000,
            units: 10,
            ..few
        };
        let gate = judge(&grouped, &Rival::None, 0.005, Policy::Default);
        assert!(gate.reasons[0].ends_with("on 2000 test rows of 10 groups"));
        assert!(gate.reasons[3].starts_with("2000 test rows of 10 groups are few"));
    }
}
