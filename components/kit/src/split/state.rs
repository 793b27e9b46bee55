//! What is handed on from version to version.

use serde::{Deserialize, Serialize};

use crate::show::shown;

/// Version of the JSON.
pub const FORMAT: u32 = 1;

/// Bytes of a split's JSON at most.
pub const MAX_BYTES: u64 = 4 << 20;

/// Places are whole numbers from 0 to below this, which a float holds exactly.
pub const RESOLUTION: u64 = 1 << 53;

/// Salts that were tried for a key.
pub const SALTS: u32 = 64;

/// The split of a model name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// [`FORMAT`].
    pub format: u32,
    /// Share of the rows that is for the test, above 0 and below 1: as version 1 was asked.
    pub test_share: f64,
    /// How a row finds its side.
    pub rule: Rule,
}

/// How a row finds its side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// A row whose digest's place is below the threshold of its class is for the test.
    Rows {
        /// The columns that make the digest, in order.
        columns: Vec<String>,
        /// Those that were floats already: another that becomes one may lose digits.
        #[serde(default)]
        floats: Vec<String>,
        /// The column of the classes.
        target: String,
        /// Sorted by class; empty for a target of numbers.
        classes: Vec<ClassThreshold>,
        /// Of every other row.
        threshold: u64,
    },
    /// A row whose key's place, salted, is below the threshold is for the test.
    Key {
        /// The column.
        column: String,
        /// Below [`SALTS`].
        salt: u32,
        /// Of every row.
        threshold: u64,
    },
    /// As [`Rule::Key`], of a column that tells groups.
    Group {
        /// The column.
        column: String,
        /// Below [`SALTS`].
        salt: u32,
        /// Of every row.
        threshold: u64,
    },
    /// A row later than the cut, up to the end of the window, is for the test.
    Time {
        /// The column: microseconds since 1970, or whole numbers that grow with time.
        column: String,
        /// The last moment that is trained on.
        cut: i64,
        /// The end of the window, after the cut: later rows wait for the next cut.
        until: i64,
        /// Rows that a later window must have.
        least: u64,
        /// Windows that were tested on before: neither trained nor tested on again. Ascending,
        /// apart from each other and not after the cut.
        retired: Vec<Window>,
    },
    /// Rows for the test come from a file of their own; equal rows are not trained on.
    File {
        /// The column by which rows are equal; else they are by all of `columns`.
        key: Option<String>,
        /// The columns that make a row's digest, in order.
        columns: Vec<String>,
    },
}

/// The threshold of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassThreshold {
    /// The class's label in its canonical spelling.
    pub class: String,
    /// From 0 to [`RESOLUTION`].
    pub threshold: u64,
}

/// Moments later than `after`, up to and with `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Not in the window.
    pub after: i64,
    /// In the window.
    pub until: i64,
}

impl Window {
    /// Whether a moment is in the window.
    pub const fn has(&self, moment: i64) -> bool {
        self.after < moment && moment <= self.until
    }
}

impl Rule {
    /// As a user asks for it: `hash`, `group`, `time`, `file`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rows { .. } | Self::Key { .. } => "hash",
            Self::Group { .. } => "group",
            Self::Time { .. } => "time",
            Self::File { .. } => "file",
        }
    }

    /// The column that decides, where it is one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Rows { .. } => None,
            Self::Key { column, .. } | Self::Group { column, .. } | Self::Time { column, .. } => {
                Some(column)
            }
            Self::File { key, .. } => key.as_deref(),
        }
    }

    /// For a sentence: `by hash of the key 'id'`.
    pub fn told(&self) -> String {
        let column = shown(self.column().unwrap_or_default(), 80);
        match self {
            Self::Rows { .. } => "by hash of the whole row".to_owned(),
            Self::Key { .. } => format!("by hash of the key '{column}'"),
            Self::Group { .. } => format!("by group '{column}'"),
            Self::Time { .. } => format!("by time '{column}'"),
            Self::File { key: None, .. } => "by a test file".to_owned(),
            Self::File { key: Some(_), .. } => format!("by a test file with the key '{column}'"),
        }
    }
}
