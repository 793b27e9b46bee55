//! A verdict with its reasons.

use serde::{Deserialize, Serialize};

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
    /// Nothing decides: the test rows do not let a metric, or no policy was wanted. A person has
    /// to.
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
