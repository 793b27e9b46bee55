//! What a trial found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{contract::Digest, stage::LoadError};

/// A column by name and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its kind, as WIT spells it: `floats`, `texts`, …
    pub kind: String,
}

/// What a transform is and what it did with the rows that it was tried on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformReport {
    /// The component's address.
    pub component: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// What it says that it is called.
    pub name: String,
    /// And its version.
    pub version: String,
    /// Interfaces that it imports, all of them inert ones of `wasi:*`.
    pub imports: Vec<String>,
    /// Columns that it reads.
    pub needs: Vec<Column>,
    /// Columns that it adds, or gives another kind.
    pub adds: Vec<Column>,
    /// Columns that it takes away.
    pub removes: Vec<String>,
    /// Whether the rows were a user's, and not made up.
    pub given: bool,
    /// Rows that it was tried on.
    pub rows: u64,
    /// How many of them it rejected.
    pub rejected: u64,
    /// Why, for the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<String>,
    /// Rows with values that are seldom seen; none where the rows were a user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusual: Option<Unusual>,
    /// Seconds for 1,000 rows in one batch, the making of the instance included.
    pub seconds_per_1000_rows: f64,
    /// The most linear memory that a call took, in bytes.
    pub peak_memory_bytes: u64,
}

/// What became of unusual rows, one by one: infinities, numbers that are none, empty and very long
/// texts, rows without any value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unusual {
    /// How many there were.
    pub rows: u64,
    /// How many were rejected, which is a good answer.
    pub rejected: u64,
    /// How many ended the transform early: such a row fails a whole run.
    pub failed: u64,
    /// The first of these, and how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Why a transform is not taken.
#[derive(Debug)]
pub enum NotAdmitted {
    /// It is no user transform, or can't be had.
    Load(LoadError),
    /// It breaks its contract; one line.
    Refused(String),
    /// The host failed.
    Host(anyhow::Error),
}

impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => write!(f, "{error}"),
            Self::Refused(reason) => f.write_str(reason),
            Self::Host(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for NotAdmitted {}
