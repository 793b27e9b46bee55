//! The interfaces that only ask or say: queue, registry, transforms, log.

use septet_core::contract::Digest;

use crate::{
    call::{Change, Proposed, Refusal},
    component::{
        Capabilities,
        bindings::{
            exports::septet::capability::{
                log::{self, Level},
                queue, registry_propose, registry_read, transforms,
            },
            septet::transform::tables::Table,
        },
        used,
    },
};

impl queue::Guest for Capabilities {
    fn send(label: String, body: Vec<u8>) -> Result<(), queue::Error> {
        used("queue", |call| call.send(label, body)).map_err(|refusal| match refusal {
            Refusal::AccessDenied => queue::Error::AccessDenied,
            Refusal::TooLarge(limit) => queue::Error::TooLarge(limit),
            Refusal::Other(reason) => queue::Error::Other(reason),
        })
    }
}

impl registry_read::Guest for Capabilities {
    fn alias(
        model: String,
        alias: String,
    ) -> Result<Option<registry_read::Version>, registry_read::Error> {
        let found = used("registry-read", |call| {
            let pinned = call.scope.alias(&model, &alias);
            let pinned = pinned.ok_or(Refusal::AccessDenied)?;
            Ok(pinned
                .version
                .as_ref()
                .map(|version| registry_read::Version {
                    number: version.number,
                    bundle_digest: version.bundle.to_string(),
                    summary: version.summary.clone(),
                }))
        });
        found.map_err(|refusal| match refusal {
            Refusal::AccessDenied => registry_read::Error::AccessDenied,
            Refusal::TooLarge(limit) => registry_read::Error::Other(format!("limit {limit}")),
            Refusal::Other(reason) => registry_read::Error::Other(reason),
        })
    }
}

impl registry_propose::Guest for Capabilities {
    fn propose(proposal: registry_propose::Proposal) -> Result<(), registry_propose::Error> {
        let proposed = Proposed {
            model: proposal.model,
            bundle: proposal.bundle_digest,
            summary: proposal.summary,
            change: proposal.change.map(|change| Change {
                alias: change.alias,
                expected: change.expected,
                reason: change.reason,
            }),
        };
        let taken = used("registry-propose", |call| call.propose(proposed));
        taken.map_err(|refusal| match refusal {
            Refusal::AccessDenied => registry_propose::Error::AccessDenied,
            Refusal::TooLarge(limit) => registry_propose::Error::TooLarge(limit),
            Refusal::Other(reason) => registry_propose::Error::Other(reason),
        })
    }
}

/// The end of the chain of transforms that were composed in: here are none.
impl transforms::Guest for Capabilities {
    fn apply(digest: String, _: Table) -> Result<Table, transforms::Error> {
        let granted = used("transforms", |call| {
            let digest: Option<Digest> = digest.parse().ok();
            Ok(digest.is_some_and(|digest| call.scope.transforms.contains(&digest)))
        });
        match granted {
            Ok(true) => Err(transforms::Error::Unknown),
            Ok(false) | Err(Refusal::AccessDenied) => Err(transforms::Error::AccessDenied),
            Err(Refusal::TooLarge(limit)) => Err(transforms::Error::Limit(limit.to_string())),
            Err(Refusal::Other(reason)) => Err(transforms::Error::Other(reason)),
        }
    }
}

impl log::Guest for Capabilities {
    fn write(level: Level, message: String) {
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let line = used("log", |call| {
            let whose = (call.scope.component.as_str(), &call.scope.origin);
            Ok(call.lines.take(level, whose, &message))
        });
        // Outside of a call, and over its limits, nothing is said.
        if let Ok(Some(line)) = line {
            eprintln!("{line}");
        }
    }

    fn progress(done: u64, total: Option<u64>) {
        // Spin stops a request by its own clock.
        let _ = used("log", |call| {
            call.progress = Some((done, total));
            Ok(())
        });
    }
}
