//! All that evaluate found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Details, Gate, Slices};
use crate::metrics::{Interval, Metrics};

/// Version of the JSON.
pub const FORMAT: u32 = 2;
/// Bytes of the JSON at most.
pub const MAX_BYTES: u64 = 1 << 20;

/// Intervals by metric; what has none is left out.
pub type Intervals = BTreeMap<String, Interval>;
/// Differences by metric; what has none is left out.
pub type Differences = BTreeMap<String, Difference>;

/// What evaluate found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// [`FORMAT`].
    pub format: u32,
    /// Test rows that were scored.
    pub rows: u64,
    /// What the resamples were drawn from: units of rows that belong together (equal rows, rows of
    /// one key or group), or the rows themselves.
    pub units: u64,
    /// The metric by which the gate decides.
    pub primary: String,
    /// Of two classes, the one whose precision, recall, F1 and curves are told.
    pub positive: Option<String>,
    /// Of the candidate.
    pub metrics: Metrics,
    /// Bootstrap resamples behind the intervals; 0: there are none.
    pub resamples: u32,
    /// Of the candidate's metrics: percentiles 2.5 and 97.5.
    pub intervals: Intervals,
    /// Of always answering with the train rows' shares of classes, or their mean.
    pub baseline: Metrics,
    /// Candidate less baseline, paired.
    pub baseline_differences: Differences,
    /// What the alias pointed at; none where it was not set.
    pub champion: Option<Champion>,
    /// For a reader.
    pub details: Details,
    /// Where a column was named.
    pub slices: Option<Slices>,
    /// The verdict.
    pub gate: Gate,
}

/// How far the candidate is from another on the same rows, with the interval of the paired
/// bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Candidate less other.
    pub value: f64,
    /// Percentile 2.5.
    pub low: f64,
    /// Percentile 97.5.
    pub high: f64,
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
    /// Of its metrics.
    pub intervals: Intervals,
    /// Candidate less champion, paired.
    pub differences: Differences,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Verdict;

    #[test]
    fn the_json_is_the_contract() {
        let interval = Interval {
            low: 0.25,
            high: 0.75,
        };
        let evaluation = Evaluation {
            format: FORMAT,
            rows: 3,
            units: 2,
            primary: "r2".to_owned(),
            positive: None,
            metrics: [("r2".to_owned(), 0.5)].into(),
            resamples: 9,
            intervals: [("r2".to_owned(), interval)].into(),
            baseline: Metrics::new(),
            baseline_differences: Differences::new(),
            champion: None,
            details: Details::default(),
            slices: None,
            gate: Gate {
                verdict: Verdict::NoPolicy,
                reasons: vec!["because".to_owned()],
            },
        };
        let json = serde_json::to_string(&evaluation).unwrap();
        assert_eq!(
            json,
            r#"{"format":2,"rows":3,"units":2,"primary":"r2","positive":null,"metrics":{"r2":0.5},"resamples":9,"intervals":{"r2":{"low":0.25,"high":0.75}},"baseline":{},"baseline_differences":{},"champion":null,"details":{"classes":[],"confusion":null,"curves":[],"bins":[]},"slices":null,"gate":{"verdict":"no-policy","reasons":["because"]}}"#
        );
        let back: Evaluation = serde_json::from_str(&json).unwrap();
        assert_eq!(back, evaluation);
        assert_eq!(evaluation.gate.verdict.name(), "no-policy");
    }
}
