//! Which rights an app has on the data account: one table, from the grants of its stages and from
//! what the host does for them.
//!
//! It owns what is needed where, and why. How a role is assigned is `infra`'s.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    contract::Stage,
    pipeline::follows,
    stage::{Capability, Grants},
};

/// Artifacts, by their digest.
pub(super) const CAS: &str = "cas";
/// What was asked for and what was done.
pub(super) const LEDGER: &str = "ledger";
/// The models' logs.
pub(super) const REGISTRY: &str = "registry";
/// Cards of messages.
pub(super) const MESSAGES: &str = "messages";

/// What one may do with a container or a queue. The order of a container's is that of its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Reading blobs.
    #[serde(rename = "Storage Blob Data Reader")]
    BlobReader,
    /// Reading and writing blobs, and never deleting one: a role that the package defines.
    #[serde(rename = "Septet Blob Writer")]
    BlobWriter,
    /// Reading, writing and deleting blobs.
    #[serde(rename = "Storage Blob Data Contributor")]
    BlobContributor,
    /// Looking at a queue and its messages.
    #[serde(rename = "Storage Queue Data Reader")]
    QueueReader,
    /// Receiving and deleting messages.
    #[serde(rename = "Storage Queue Data Message Processor")]
    QueueProcessor,
    /// Sending messages.
    #[serde(rename = "Storage Queue Data Message Sender")]
    QueueSender,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] = [
        Self::BlobReader,
        Self::BlobWriter,
        Self::BlobContributor,
        Self::QueueReader,
        Self::QueueProcessor,
        Self::QueueSender,
    ];

    /// As Azure names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlobReader => "Storage Blob Data Reader",
            Self::BlobWriter => "Septet Blob Writer",
            Self::BlobContributor => "Storage Blob Data Contributor",
            Self::QueueReader => "Storage Queue Data Reader",
            Self::QueueProcessor => "Storage Queue Data Message Processor",
            Self::QueueSender => "Storage Queue Data Message Sender",
        }
    }

    /// Azure's identifier of a role that it has built in.
    pub const fn built_in(self) -> Option<&'static str> {
        match self {
            Self::BlobReader => Some("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
            Self::BlobWriter => None,
            Self::BlobContributor => Some("ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
            Self::QueueReader => Some("19e7f393-937e-4f77-808e-94535e297925"),
            Self::QueueProcessor => Some("8a0f0c08-91a1-4084-bc3d-661d67233fed"),
            Self::QueueSender => Some("c6a89b2d-59bc-44d0-9896-0f6e12d7b80a"),
        }
    }

    /// Whether it is one for containers, of which an app needs one only: the widest.
    pub const fn is_of_containers(self) -> bool {
        matches!(
            self,
            Self::BlobReader | Self::BlobWriter | Self::BlobContributor
        )
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One role of one app on one container or queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// The app's name.
    pub app: String,
    /// The container or the queue.
    pub on: String,
    /// What it may do there.
    pub role: Role,
    /// What for.
    pub why: String,
}

/// Rights, each but once, and of those on a container the widest only.
#[derive(Default)]
struct Needs {
    containers: BTreeMap<String, (Role, &'static str)>,
    queues: BTreeMap<(String, Role), &'static str>,
}

impl Needs {
    fn container(&mut self, name: &str, role: Role, why: &'static str) {
        let wider = self.containers.get(name).is_none_or(|had| had.0 < role);
        if wider {
            self.containers.insert(name.to_owned(), (role, why));
        }
    }

    fn queue(&mut self, name: impl Into<String>, role: Role, why: &'static str) {
        self.queues.entry((name.into(), role)).or_insert(why);
    }

    /// What `stage` needs: first what its grants say, then what the host does around it.
    fn add(&mut self, stage: Stage, grants: &Grants, incoming: &[String]) {
        let granted = grants.of(stage);
        for capability in granted {
            match capability {
                Capability::RegistryRead => {
                    self.container(REGISTRY, Role::BlobReader, "grant registry-read");
                }
                Capability::RegistryPropose => {
                    self.container(REGISTRY, Role::BlobWriter, "grant registry-propose");
                }
                Capability::Queue => {
                    for label in grants.labels(stage) {
                        self.queue(label, Role::QueueSender, "grant queue");
                    }
                }
                // What a component reads and writes is in the container of artifacts, which the
                // host needs for every stage; transforms and models are run by the host from there.
                Capability::BlobList
                | Capability::BlobRead
                | Capability::BlobWrite
                | Capability::Transforms
                | Capability::Models
                | Capability::Log => {}
            }
        }
        // Outcomes and reasons of failures are written there, whatever the component is granted.
        self.container(CAS, Role::BlobWriter, "inputs and outcomes");
        // Leases in `doing/` and runs in `active/` are deleted when they end.
        self.container(
            LEDGER,
            Role::BlobContributor,
            "commits, leases, ends of runs",
        );
        self.container(
            MESSAGES,
            Role::BlobContributor,
            "cards of sent and handled messages",
        );
        let own = stage.name();
        self.queue(own, Role::QueueReader, "trigger");
        self.queue(own, Role::QueueProcessor, "trigger");
        self.queue(own, Role::QueueSender, "another attempt");
        self.queue(poison(stage), Role::QueueSender, "what came to nothing");
        for next in follows(stage) {
            self.queue(next.name(), Role::QueueSender, "what follows");
        }
        match stage {
            Stage::Ingest => {
                for container in incoming {
                    self.container(container, Role::BlobReader, "files that arrived");
                }
                self.container(REGISTRY, Role::BlobReader, "what a new run is pinned to");
            }
            Stage::Infer => {
                self.container(REGISTRY, Role::BlobReader, "the model that predict names");
            }
            Stage::Deploy => self.add_sweep(grants),
            _ => {}
        }
    }

    /// What the sweep needs, which runs in the app of deploy: it publishes whatever a lost instance
    /// has committed, and gives back what it held.
    fn add_sweep(&mut self, grants: &Grants) {
        for stage in Stage::ALL {
            let why = "the sweep sends what was lost";
            self.queue(stage.name(), Role::QueueSender, why);
            self.queue(poison(stage), Role::QueueSender, why);
            for label in grants.labels(stage) {
                self.queue(label, Role::QueueSender, why);
            }
        }
    }
}

/// The queue of what came to nothing.
pub(super) fn poison(stage: Stage) -> String {
    format!("{stage}-poison")
}

/// All queues: of the stages, of what came to nothing, and of the stages' own messages.
pub(super) fn queues(grants: &Grants) -> Vec<String> {
    let own = Stage::ALL.map(|stage| stage.name().to_owned());
    let labels = Stage::ALL
        .into_iter()
        .flat_map(|stage| grants.labels(stage));
    let mut queues = BTreeSet::from(own);
    queues.extend(Stage::ALL.map(poison));
    queues.extend(labels);
    queues.into_iter().collect()
}

/// The rights of `app`, which runs `stages`: those on containers, and those on queues.
pub fn rights(
    app: &str,
    stages: &[Stage],
    grants: &Grants,
    incoming: &[String],
) -> (Vec<Right>, Vec<Right>) {
    let mut needs = Needs::default();
    for stage in stages {
        needs.add(*stage, grants, incoming);
    }
    let right = |on: String, role, why: &str| Right {
        app: app.to_owned(),
        on,
        role,
        why: why.to_owned(),
    };
    let containers = needs.containers.into_iter();
    let queues = needs.queues.into_iter();
    (
        containers
            .map(|(on, (role, why))| right(on, role, why))
            .collect(),
        queues
            .map(|((on, role), why)| right(on, role, why))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stage: Stage) -> (BTreeMap<String, Role>, BTreeSet<(String, Role)>) {
        let incoming = ["incoming".to_owned()];
        let (containers, queues) = rights("a", &[stage], &Grants::default(), &incoming);
        (
            containers.into_iter().map(|r| (r.on, r.role)).collect(),
            queues.into_iter().map(|r| (r.on, r.role)).collect(),
        )
    }

    #[test]
    fn the_registry_is_written_by_deploy_alone_and_read_by_who_reads_it() {
        let role = |stage| of(stage).0.get(REGISTRY).copied();
        for stage in Stage::ALL {
            let expected = match stage {
                Stage::Deploy => Some(Role::BlobWriter),
                Stage::Ingest | Stage::Evaluate | Stage::Infer | Stage::Monitor => {
                    Some(Role::BlobReader)
                }
                Stage::Preprocess | Stage::Train => None,
            };
            assert_eq!(role(stage), expected, "{stage}");
        }
    }

    #[test]
    fn every_app_has_its_queue_and_no_other_but_those_it_sends_to() {
        for stage in Stage::ALL {
            let (containers, queues) = of(stage);
            assert_eq!(containers[CAS], Role::BlobWriter);
            assert_eq!(containers[LEDGER], Role::BlobContributor);
            assert_eq!(containers[MESSAGES], Role::BlobContributor);
            assert_eq!(
                containers.contains_key("incoming"),
                stage == Stage::Ingest,
                "{stage}"
            );
            let received: Vec<_> = queues
                .iter()
                .filter(|(_, role)| *role != Role::QueueSender)
                .map(|(queue, _)| queue.as_str())
                .collect();
            assert_eq!(received, [stage.name(); 2]);
            let sent: BTreeSet<_> = queues
                .iter()
                .filter(|(_, role)| *role == Role::QueueSender)
                .map(|(queue, _)| queue.clone())
                .collect();
            if stage == Stage::Deploy {
                assert_eq!(
                    sent,
                    super::queues(&Grants::default()).into_iter().collect()
                );
                continue;
            }
            let mut expected = BTreeSet::from([stage.name().to_owned(), poison(stage)]);
            expected.extend(follows(stage).iter().map(|next| next.name().to_owned()));
            expected.extend(Grants::default().labels(stage));
            assert_eq!(sent, expected, "{stage}");
        }
    }

    #[test]
    fn a_grant_that_was_taken_away_takes_its_role_along() {
        let mut grants = Grants::default();
        grants
            .restrict(Stage::Monitor, &[Capability::BlobRead])
            .unwrap();
        let (containers, queues) = rights("monitor", &[Stage::Monitor], &grants, &[]);
        assert!(containers.iter().all(|right| right.on != REGISTRY));
        assert!(queues.iter().all(|right| right.on != "alerts"));
    }

    #[test]
    fn one_app_has_the_union() {
        let (containers, queues) = rights("all", &Stage::ALL, &Grants::default(), &[]);
        let registry = containers.iter().find(|right| right.on == REGISTRY);
        assert_eq!(registry.unwrap().role, Role::BlobWriter);
        assert_eq!(
            queues
                .iter()
                .filter(|right| right.role == Role::QueueProcessor)
                .count(),
            7
        );
    }
}
