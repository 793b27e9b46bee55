//! What was tried of a component, and what differs.

use serde::Serialize;

/// As many differences of a call are told; the others are counted.
const MOST: usize = 20;

/// The longest of them, in characters.
const LONGEST: usize = 300;

/// One call that was done again.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tried {
    /// Which one.
    pub call: String,
    /// Wall clock.
    pub seconds: f64,
    /// Wall clock of what was committed, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_before: Option<f64>,
    /// The most linear memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// What differs, as far as it is told.
    pub different: Vec<String>,
    /// How many differences are not told.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// All that was tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Whether the calls were the demo's, because the store has none of this stage.
    pub demo: bool,
    /// The calls.
    pub calls: Vec<Tried>,
}

impl Report {
    /// Whether any answer differs.
    pub fn differs(&self) -> bool {
        self.calls.iter().any(|tried| !tried.different.is_empty())
    }

    /// The first difference, with its call, for a line.
    pub fn first(&self) -> Option<String> {
        let mut calls = self.calls.iter();
        calls.find_map(|tried| {
            let first = tried.different.first()?;
            Some(format!("{}: {first}", tried.call))
        })
    }
}

impl Tried {
    /// Keeps as many differences as are told.
    pub(super) fn with(mut self, different: &[String]) -> Self {
        self.more = different.len().saturating_sub(MOST);
        let told = different.iter().take(MOST);
        self.different = told
            .map(|text| text.chars().take(LONGEST).collect())
            .collect();
        self
    }
}
