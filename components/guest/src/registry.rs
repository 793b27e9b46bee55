//! Versions and aliases. What goes wrong is a fault of the call, and noted as one.

use crate::{
    bindings::septet::capability::{registry_propose, registry_read},
    fault::failed,
};

pub use registry_propose::{AliasChange, Proposal};
pub use registry_read::Version;

/// The version that an alias of a model points at.
pub fn alias(model: &str, alias: &str) -> Result<Option<Version>, String> {
    registry_read::alias(model, alias).map_err(|error| {
        let reason = match error {
            registry_read::Error::AccessDenied => "it is not granted".to_owned(),
            registry_read::Error::Other(reason) => reason,
        };
        failed(format!(
            "can't read the alias '{alias}' of model '{model}': {reason}"
        ))
    })
}

/// Proposes a version, and what its alias is to become.
pub fn propose(proposal: &Proposal) -> Result<(), String> {
    registry_propose::propose(proposal).map_err(|error| {
        let reason = match error {
            registry_propose::Error::AccessDenied => "it is not granted".to_owned(),
            registry_propose::Error::TooLarge(limit) => format!("it is over the limit of {limit}"),
            registry_propose::Error::Other(reason) => reason,
        };
        failed(format!(
            "can't propose a version of model '{}': {reason}",
            proposal.model
        ))
    })
}
