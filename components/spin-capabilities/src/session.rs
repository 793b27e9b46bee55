//! The interfaces of a gateway and of what stands between a stage and another component.

use septet_core::contract::{Artifact, Digest, Origin, PinnedAlias, PinnedVersion, Proposal};
use septet_spin_store::MAX_BLOB;

use crate::{
    call::{Call, Fault, Refusal},
    component::{
        Capabilities, begin,
        bindings::exports::septet::{
            capability::registry_propose as propose,
            spin::{load_test, scopes, session},
        },
        end, used, within,
    },
    scope::Scope,
};

impl session::Guest for Capabilities {
    fn begin(scope: session::Scope) -> Result<(), String> {
        let scope = parsed(scope).map_err(|error| format!("{error:#}"))?;
        begin(Call::new(scope, MAX_BLOB));
        Ok(())
    }

    fn end() -> Option<session::Effects> {
        end().map(effects)
    }
}

fn parsed(scope: session::Scope) -> anyhow::Result<Scope> {
    let alias = |alias: session::PinnedAlias| {
        let version = alias.version.map(|version| {
            anyhow::Ok(PinnedVersion {
                number: version.number,
                bundle: version.bundle_digest.parse()?,
                bundle_size: version.bundle_size,
                infer: version.infer_digest.parse()?,
                summary: version.summary,
            })
        });
        anyhow::Ok(PinnedAlias {
            model: alias.model,
            alias: alias.alias,
            // How often it was moved is the ledger's affair.
            revision: 0,
            version: version.transpose()?,
        })
    };
    let transforms = scope.transforms.iter();
    Ok(Scope {
        component: scope.component,
        inputs: scope
            .inputs
            .into_iter()
            .map(given)
            .collect::<Result<_, _>>()?,
        aliases: scope
            .aliases
            .into_iter()
            .map(alias)
            .collect::<Result<_, _>>()?,
        infer: scope.infer_digest.parse()?,
        transforms: transforms
            .map(|text| text.parse())
            .collect::<Result<_, _>>()?,
        labels: scope.labels.into_iter().collect(),
        writes: scope.writes,
        origin: Origin {
            run: scope.origin.run,
            unit: scope.origin.unit,
            attempt: scope.origin.attempt,
        },
    })
}

fn given(artifact: session::Artifact) -> anyhow::Result<Artifact> {
    Ok(Artifact {
        name: artifact.name,
        digest: artifact.digest.parse()?,
        size: artifact.size,
        media_type: artifact.media_type,
    })
}

fn effects(call: Call) -> session::Effects {
    let (log_lines, log_dropped) = call.lines.counts();
    let written = call.written.finished().into_iter();
    let messages = call.messages.into_iter();
    let progress = call.progress;
    session::Effects {
        written: written
            .map(|(digest, blob)| session::Written {
                digest: digest.to_string(),
                size: blob.size,
                media_types: blob.media_types,
            })
            .collect(),
        messages: messages
            .map(|message| session::Message {
                label: message.label,
                body: message.body,
            })
            .collect(),
        proposals: call.proposals.into_iter().map(proposal).collect(),
        used: call
            .used
            .into_iter()
            .map(|(capability, calls)| session::Used {
                capability: capability.to_owned(),
                calls,
            })
            .collect(),
        progress: progress.map(|(done, total)| session::Progress { done, total }),
        log_lines,
        log_dropped,
        fault: call.fault.map(|fault| match fault {
            Fault::Unavailable(reason) => session::Fault::Unavailable(reason),
            Fault::Damaged(reason) => session::Fault::Damaged(reason),
        }),
    }
}

fn proposal(proposal: Proposal) -> propose::Proposal {
    propose::Proposal {
        model: proposal.model,
        bundle_digest: proposal.bundle.to_string(),
        summary: proposal.summary,
        change: proposal.change.map(|change| propose::AliasChange {
            alias: change.alias,
            expected: change.expected.map(|digest| digest.to_string()),
            reason: change.reason,
        }),
    }
}

impl scopes::Guest for Capabilities {
    fn may_apply(digest: String) -> bool {
        let Ok(digest) = digest.parse::<Digest>() else {
            return false;
        };
        used("transforms", |call| {
            Ok(call.scope.transforms.contains(&digest))
        })
        .unwrap_or(false)
    }

    fn may_predict(bundle_digest: String) -> Option<scopes::Model> {
        let digest: Digest = bundle_digest.parse().ok()?;
        let model = used("models", |call| {
            let scope = &call.scope;
            let model = scope.model(&digest).ok_or(Refusal::AccessDenied)?;
            let transforms = scope.transforms.iter().map(Digest::to_string);
            let Origin { run, unit, attempt } = scope.origin.clone();
            Ok(scopes::Model {
                bundle: session::Artifact {
                    name: model.bundle.name,
                    digest: model.bundle.digest.to_string(),
                    size: model.bundle.size,
                    media_type: model.bundle.media_type,
                },
                infer_digest: model.infer.to_string(),
                transforms: transforms.collect(),
                origin: session::Origin { run, unit, attempt },
            })
        });
        model.ok()
    }

    fn note(fault: scopes::Fault) {
        // Where there is no call any more, nobody asks.
        let _ = within(|call| {
            call.note(match fault {
                scopes::Fault::Unavailable(reason) => Fault::Unavailable(reason),
                scopes::Fault::Damaged(reason) => Fault::Damaged(reason),
            });
            Ok(())
        });
    }
}

/// Where no infer component was composed in, no model can be tried.
impl load_test::Guest for Capabilities {
    fn load(_: load_test::Model) -> Result<(), load_test::Error> {
        Err(load_test::Error::Rejected(
            "there is no infer component in this application".to_owned(),
        ))
    }
}
