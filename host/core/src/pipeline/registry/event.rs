//! The entries of a model's log: what happened to it.

use serde::{Deserialize, Serialize};

use crate::{
    contract::{Artifact, Digest},
    pipeline::{
        chain::{Chain, Link},
        run::Source,
    },
};

/// One entry of a model's log.
pub type Entry = Link<Event>;

/// What happened to a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A bundle became a version.
    Register(Box<Registration>),
    /// An alias was moved.
    Alias(Move),
    /// A schema was accepted: parts are held to it from now on.
    Schema(Acceptance),
}

/// A bundle became a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// From 1, without gaps.
    pub number: u32,
    /// The bundle's address.
    pub bundle: Digest,
    /// The bundle's size in bytes.
    pub bundle_size: u64,
    /// The infer component that this version is predicted with.
    pub infer: Digest,
    /// JSON object.
    pub summary: String,
    /// The run that made it.
    pub run: String,
    /// The test rows that it was evaluated on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Digest>,
    /// The schema that its parts were held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Artifact>,
    /// The split of its rows, on which the next version's is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Artifact>,
    /// The files that hold its test rows, where it was not split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Source>,
}

/// A schema was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The schema.
    pub schema: Artifact,
    /// Why.
    pub reason: String,
}

/// An alias was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Which alias.
    pub alias: String,
    /// The version it pointed at; none where it was not set.
    pub from: Option<u32>,
    /// The version it points at now.
    pub to: u32,
    /// How many times it has been moved, this time included.
    pub revision: u64,
    /// Why.
    pub reason: String,
    /// The evaluation on which the gate decided; none where a person did.
    pub gate: Option<Digest>,
    /// The invocation that moved it: a second move for the same cause is the same move.
    pub cause: Option<String>,
    /// Whether the version before was put back.
    pub rollback: bool,
}

/// A model's log.
pub(super) fn chain(model: &str) -> Chain {
    let name = format!("the log of model '{model}'");
    Chain::new(name, format!("models/{model}/log/"), 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_an_older_log_is_read_and_written_as_it_was() {
        let digest = Digest::of(b"x");
        let old = format!(
            r#"{{"number":1,"bundle":"{digest}","bundle_size":1,"infer":"{digest}","summary":"{{}}","run":"r"}}"#
        );
        let read: Registration = serde_json::from_str(&old).unwrap();
        assert!(read.split.is_none() && read.tests.is_empty());
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
    }
}
