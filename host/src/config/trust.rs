//! `[trust]`: which components are taken.

use std::collections::BTreeMap;

use septet::{
    contract::{Digest, Stage},
    trust::Trust,
};
use serde::Deserialize;

/// `[trust]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrustSettings {
    /// Public keys of minisign.
    pub(crate) keys: Vec<String>,
    #[serde(rename = "require-signature", alias = "require_signature")]
    pub(crate) require_signature: bool,
    /// The only component that a stage takes in the place of the built-in one.
    pub(crate) pins: BTreeMap<Stage, Digest>,
}

impl TrustSettings {
    /// What is taken by these settings.
    pub(crate) fn trust(&self) -> anyhow::Result<Trust> {
        Trust::new(&self.keys, self.require_signature, self.pins.clone())
    }
}
