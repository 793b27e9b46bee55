//! The verdict on a candidate, as evaluate writes it and deploy reads it.
//!
//! It owns the JSON. It must not know how a verdict is reached.

use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;

/// Version of the JSON.
pub const FORMAT: u32 = 1;

/// What evaluate found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// [`FORMAT`].
    pub format: u32,
    /// Test rows that were scored.
    pub rows: u64,
    /// The metric by which the gate decides: `accuracy` or `r2`.
    pub primary: String,
    /// Of the candidate.
    pub metrics: Metrics,
    /// Of always answering with the train rows' shares of classes, or their mean.
    pub baseline: Metrics,
    /// What the alias pointed at; none where it was not set.
    pub champion: Option<Champion>,
    /// The verdict.
    pub gate: Gate,
}

/// The version that the candidate was compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Champion {
    /// Its number.
    pub version: u32,
    /// Its bundle's address.
    pub bundle: String,
    /// On the same rows; empty where it could not be compared.
    pub metrics: Metrics,
}

/// A verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Whether the candidate may become the champion.
    pub verdict: Verdict,
    /// Sentences with figures; at least one.
    pub reasons: Vec<String>,
}

/// Whether a candidate may become the champion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may.
    Pass,
    /// It may not.
    Fail,
    /// The test rows do not let a metric decide; a person has to.
    NoPolicy,
}

impl Verdict {
    /// As in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NoPolicy => "no-policy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_the_contract() {
        let evaluation = Evaluation {
            format: FORMAT,
            rows: 3,
            primary: "r2".to_owned(),
            metrics: [("r2".to_owned(), 0.5)].into(),
            baseline: Metrics::new(),
            champion: None,
            gate: Gate {
                verdict: Verdict::NoPolicy,
                reasons: vec!["because".to_owned()],
            },
        };
        let json = serde_json::to_string(&evaluation).unwrap();
        assert_eq!(
            json,
            r#"{"format":1,"rows":3,"primary":"r2","metrics":{"r2":0.5},"baseline":{},"champion":null,"gate":{"verdict":"no-policy","reasons":["because"]}}"#
        );
        let back: Evaluation = serde_json::from_str(&json).unwrap();
        assert_eq!(back, evaluation);
        assert_eq!(evaluation.gate.verdict.name(), "no-policy");
    }
}
