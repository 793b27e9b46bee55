//! The entries of the log: what happened to the names.

use serde::{Deserialize, Serialize};

use crate::{
    contract::Digest,
    pipeline::chain::{Chain, Link},
};

/// One entry of the log.
pub type Entry = Link<Event>;

/// What happened to a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It stands for a component, or for another one than before.
    Added(Addition),
    /// It stands for nothing any more.
    Removed(Removal),
}

/// A name stands for a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addition {
    /// The name.
    pub name: String,
    /// The component's address.
    pub component: Digest,
    /// Bytes.
    pub size: u64,
    /// The text of its `.minisig`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The number of the key that it was signed with, where one was trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What was found when it was tried, a JSON object.
    pub report: String,
}

/// A name stands for nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// The name.
    pub name: String,
}

impl Event {
    /// The name that it happened to.
    pub fn name(&self) -> &str {
        match self {
            Self::Added(addition) => &addition.name,
            Self::Removed(removal) => &removal.name,
        }
    }
}

/// The one log of all names.
pub(super) fn chain() -> Chain {
    let name = "the log of transforms".to_owned();
    Chain::new(name, "transforms/".to_owned(), 8)
}
