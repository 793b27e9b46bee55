//! Settings that all kinds of trees have.

use crate::settings::{Range, Setting, Settings};

/// How far a tree may grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Splits from the root to a leaf.
    pub(crate) depth: usize,
    /// Rows of a leaf, at least.
    pub(crate) leaf: usize,
    /// Rows of a node that is split, at least.
    pub(crate) split: usize,
    /// Features that a split chooses from.
    pub(crate) features: usize,
}

impl Limits {
    /// What the settings say for a table of so many columns.
    pub(crate) fn of(settings: &Settings, columns: usize) -> Self {
        let whole = |name| settings.whole(name).map(|whole| whole as usize);
        Self {
            depth: whole("max_depth").unwrap_or(usize::MAX),
            leaf: whole("min_samples_leaf").unwrap_or(1),
            split: whole("min_samples_split").unwrap_or(2),
            features: settings.features("max_features", columns),
        }
    }
}

/// The settings of [`Limits`], named as in scikit-learn.
pub(crate) fn settings(depth: Option<u32>, features: &'static str) -> Vec<Setting> {
    vec![
        Setting::whole("max_depth", depth, 1, 60_000),
        Setting::whole("min_samples_leaf", Some(1), 1, 1_000_000_000),
        Setting::whole("min_samples_split", Some(2), 2, 1_000_000_000),
        Setting {
            name: "max_features",
            range: Range::Features { default: features },
        },
    ]
}

/// Bytes that the nodes of one tree over so many rows, and the shares in its leaves, have at most.
pub(crate) fn nodes(rows: u64, classes: u64, settings: &Settings) -> u64 {
    let leaf = u64::from(settings.whole("min_samples_leaf").unwrap_or(1)).max(1);
    let depth = settings.whole("max_depth").unwrap_or(u32::MAX);
    let leaves = (rows / leaf)
        .max(1)
        .min(1u64.checked_shl(depth).unwrap_or(u64::MAX));
    // A leaf of one row is pure and has no shares.
    let shared = if classes > 2 {
        leaves.min(rows / leaf.max(2))
    } else {
        0
    };
    let shares = shared.saturating_mul(classes).saturating_mul(8);
    leaves.saturating_mul(2 * 16).saturating_add(shares)
}
