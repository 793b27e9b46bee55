//! What an application was composed of.
//!
//! A component can't hash what is composed beside it. Whoever composes an application puts its identity
//! beside the gateway, as a component of data.

use anyhow::{Context as _, ensure};
use septet_core::contract::{Digest, Stage};
use serde::{Deserialize, Serialize};

/// The longest identity, in bytes of JSON.
const LONGEST: usize = 64 << 10;

/// What an application was composed of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The stage.
    pub stage: Stage,
    /// Its component.
    pub component: Digest,
    /// The infer component that models are predicted with here, where any are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infer: Option<Digest>,
    /// The transforms beside it.
    #[serde(default)]
    pub transforms: Vec<Digest>,
}

impl Identity {
    /// Reads it from JSON.
    pub fn read(json: &str) -> anyhow::Result<Self> {
        ensure!(json.len() <= LONGEST, "its identity is too long");
        serde_json::from_str(json)
            .context("this application was not composed by this version of `septet spin compose`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused() {
        let digest = Digest::of(b"train");
        let json = format!(r#"{{"stage":"train","component":"{digest}"}}"#);
        let read = Identity::read(&json).unwrap();
        assert_eq!((read.stage, read.component), (Stage::Train, digest));
        assert!(Identity::read(&json.replace("stage", "stages")).is_err());
        assert!(Identity::read("").is_err());
    }
}
