//! Proposals of changes to the registry, within the models and aliases of the call. They are
//! kept here and take effect with the commit.

use wasmtime::component::Linker;

use super::{
    Answer, Granted, Scope, View, Viewed,
    bindings::septet::capability::registry_propose::{self, AliasChange, Error, Host, Proposal},
    blob_write, clean,
};
use crate::{
    contract::{self, Digest},
    stage::{Capability, Limits},
};

/// Proposals that were accepted.
#[derive(Debug, Default)]
pub(crate) struct Proposals {
    accepted: Vec<contract::Proposal>,
}

impl Proposals {
    /// The proposals, in the order in which they were made.
    pub(crate) fn take(&mut self) -> Vec<contract::Proposal> {
        std::mem::take(&mut self.accepted)
    }

    pub(crate) fn accept(
        &mut self,
        proposal: Proposal,
        scope: &Scope,
        written: &blob_write::Written,
        limits: &Limits,
    ) -> Result<(), Error> {
        if proposal.summary.len() as u64 > limits.summary_bytes {
            return Err(Error::TooLarge(limits.summary_bytes));
        }
        if self.accepted.len() as u64 >= limits.proposals {
            return Err(Error::TooLarge(limits.proposals));
        }
        if !scope.knows_model(&proposal.model) {
            return Err(Error::AccessDenied);
        }
        let bundle = digest(&proposal.bundle_digest)?;
        let given = scope.inputs.iter().any(|input| input.digest == bundle);
        if !given && written.size(&bundle).is_none() {
            return Err(Error::AccessDenied);
        }
        let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>;
        if let Err(error) = object(&proposal.summary) {
            let reason = format!("the summary is not a JSON object: {error}");
            return Err(Error::Other(reason));
        }
        let change = proposal
            .change
            .map(|change| alias_change(change, &proposal.model, scope, limits))
            .transpose()?;
        self.accepted.push(contract::Proposal {
            model: proposal.model,
            bundle,
            summary: proposal.summary,
            change,
        });
        Ok(())
    }
}

fn alias_change(
    change: AliasChange,
    model: &str,
    scope: &Scope,
    limits: &Limits,
) -> Result<contract::AliasChange, Error> {
    if scope.alias(model, &change.alias).is_none() {
        return Err(Error::AccessDenied);
    }
    Ok(contract::AliasChange {
        alias: change.alias,
        expected: change.expected.as_deref().map(digest).transpose()?,
        reason: clean(&change.reason, limits.text_bytes),
    })
}

fn digest(text: &str) -> Result<Digest, Error> {
    text.parse()
        .map_err(|error: anyhow::Error| Error::Other(error.to_string()))
}

impl Host for View<'_> {
    async fn propose(&mut self, proposal: Proposal) -> Answer<(), Error> {
        let _busy = self.context.enter(Capability::RegistryPropose)?;
        let context = &mut *self.context;
        let (scope, written) = (&context.scope, &context.written);
        let accepted = context
            .proposals
            .accept(proposal, scope, written, &context.limits);
        Ok(accepted)
    }
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    registry_propose::add_to_linker::<T, Granted>(linker, T::view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Artifact, PinnedAlias};

    fn scope() -> Scope {
        let content = b"bundle";
        Scope {
            inputs: vec![Artifact {
                name: "bundle".to_owned(),
                digest: Digest::of(content),
                size: 6,
                media_type: "application/vnd.septet.model-bundle".to_owned(),
            }],
            aliases: vec![PinnedAlias {
                model: "m".to_owned(),
                alias: "champion".to_owned(),
                revision: 0,
                version: None,
            }],
            ..Scope::default()
        }
    }

    fn proposal(model: &str, alias: &str, bundle: &[u8], summary: &str) -> Proposal {
        Proposal {
            model: model.to_owned(),
            bundle_digest: Digest::of(bundle).to_string(),
            summary: summary.to_owned(),
            change: Some(AliasChange {
                alias: alias.to_owned(),
                expected: None,
                reason: "better\nnow".to_owned(),
            }),
        }
    }

    #[test]
    fn models_aliases_bundles_and_summaries_are_checked() {
        let limits = Limits {
            proposals: 1,
            summary_bytes: 8,
            ..Limits::default()
        };
        let written = blob_write::Written::default();
        let mut proposals = Proposals::default();
        let mut accept = |p: Proposal| proposals.accept(p, &scope(), &written, &limits);
        assert_eq!(
            accept(proposal("n", "champion", b"bundle", "{}")),
            Err(Error::AccessDenied)
        );
        assert_eq!(
            accept(proposal("m", "other", b"bundle", "{}")),
            Err(Error::AccessDenied)
        );
        assert_eq!(
            accept(proposal("m", "champion", b"foreign", "{}")),
            Err(Error::AccessDenied)
        );
        assert_eq!(
            accept(proposal("m", "champion", b"bundle", "{\"a\":1234}")),
            Err(Error::TooLarge(8))
        );
        assert!(matches!(
            accept(proposal("m", "champion", b"bundle", "[]")),
            Err(Error::Other(_))
        ));
        accept(proposal("m", "champion", b"bundle", "{}")).unwrap();
        assert_eq!(
            accept(proposal("m", "champion", b"bundle", "{}")),
            Err(Error::TooLarge(1))
        );
        let taken = proposals.take();
        assert_eq!(taken[0].change.as_ref().unwrap().reason, "better now");
    }
}
