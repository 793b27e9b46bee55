//! Which stage may import which capability, as data.
//!
//! It owns the table and its narrowing by settings. Scopes (which digest, which model) belong to
//! a call and are in `capability::Scope`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::contract::Stage;

/// An interface that a component may import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Finding blobs by name.
    BlobList,
    /// Reading blobs by digest.
    BlobRead,
    /// Writing blobs.
    BlobWrite,
    /// Applying the user's transforms.
    Transforms,
    /// Predictions of models.
    Models,
    /// Messages of the stage's own.
    Queue,
    /// The registry of models as it was pinned.
    RegistryRead,
    /// Proposals of changes to the registry.
    RegistryPropose,
    /// Lines and progress.
    Log,
}

impl Capability {
    /// All capabilities, in the order in which tables show them.
    pub const ALL: [Self; 9] = [
        Self::BlobList,
        Self::BlobRead,
        Self::BlobWrite,
        Self::Transforms,
        Self::Models,
        Self::Queue,
        Self::RegistryRead,
        Self::RegistryPropose,
        Self::Log,
    ];

    /// The interface's name in `wit/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlobList => "blob-list",
            Self::BlobRead => "blob-read",
            Self::BlobWrite => "blob-write",
            Self::Transforms => "transforms",
            Self::Models => "models",
            Self::Queue => "queue",
            Self::RegistryRead => "registry-read",
            Self::RegistryPropose => "registry-propose",
            Self::Log => "log",
        }
    }

    /// The import as a component spells it, without its version.
    pub fn interface(self) -> String {
        format!("septet:capability/{}", self.name())
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Capability {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.name() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|c| c.name()).collect();
                anyhow::anyhow!(
                    "there is no capability '{}': choose among {}",
                    text.escape_debug(),
                    names.join(", ")
                )
            })
    }
}

/// The grants of all stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    table: BTreeMap<Stage, BTreeSet<Capability>>,
    labels: BTreeMap<Stage, BTreeSet<String>>,
}

impl Default for Grants {
    fn default() -> Self {
        let table = Stage::ALL
            .into_iter()
            .map(|stage| (stage, defaults(stage).iter().copied().collect()))
            .collect();
        let labels = Stage::ALL
            .into_iter()
            .map(|stage| {
                let labels = stage.labels().iter().map(ToString::to_string);
                (stage, labels.collect())
            })
            .collect();
        Self { table, labels }
    }
}

/// The rows of the table: the same as each stage's world in `wit/pipeline.wit`.
const fn defaults(stage: Stage) -> &'static [Capability] {
    use Capability::{
        BlobList, BlobRead, BlobWrite, Log, Models, Queue, RegistryPropose, RegistryRead,
        Transforms,
    };
    match stage {
        Stage::Ingest => &[BlobList, BlobRead, BlobWrite, Log],
        Stage::Preprocess | Stage::Infer => &[BlobRead, BlobWrite, Transforms, Log],
        Stage::Train => &[BlobRead, BlobWrite, Queue, Log],
        Stage::Evaluate => &[BlobRead, BlobWrite, RegistryRead, Models, Log],
        Stage::Deploy => &[BlobRead, BlobWrite, RegistryRead, RegistryPropose, Log],
        Stage::Monitor => &[BlobRead, BlobWrite, RegistryRead, Queue, Log],
    }
}

impl Grants {
    /// What `stage` is granted.
    pub fn of(&self, stage: Stage) -> &BTreeSet<Capability> {
        static NONE: BTreeSet<Capability> = BTreeSet::new();
        self.table.get(&stage).unwrap_or(&NONE)
    }

    /// Whether `stage` is granted `capability`.
    pub fn allows(&self, stage: Stage, capability: Capability) -> bool {
        self.of(stage).contains(&capability)
    }

    /// The queues that `stage` may send to; none without the grant of `queue`.
    pub fn labels(&self, stage: Stage) -> BTreeSet<String> {
        if !self.allows(stage, Capability::Queue) {
            return BTreeSet::new();
        }
        self.labels.get(&stage).cloned().unwrap_or_default()
    }

    /// Leaves `stage` only the grants in `keep`. Settings can take away and never add.
    pub fn restrict(&mut self, stage: Stage, keep: &[Capability]) -> anyhow::Result<()> {
        if let Some(more) = keep.iter().find(|c| !defaults(stage).contains(c)) {
            let known: Vec<_> = defaults(stage).iter().map(|c| c.name()).collect();
            anyhow::bail!(
                "stage {stage} can't be granted {more}: settings can only take away from {}",
                known.join(", ")
            );
        }
        if let Some(row) = self.table.get_mut(&stage) {
            row.retain(|capability| keep.contains(capability));
        }
        Ok(())
    }

    /// One spelling of the grants of `stage`, for the key of the ledger.
    pub fn canonical(&self, stage: Stage) -> String {
        let rows: Vec<String> = self
            .of(stage)
            .iter()
            .map(|capability| match capability {
                Capability::Queue => {
                    let labels: Vec<_> = self.labels(stage).into_iter().collect();
                    format!("queue({})", labels.join(" "))
                }
                other => other.name().to_owned(),
            })
            .collect();
        rows.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_one_of_the_worlds() {
        // The WIT is the contract: what a world imports is what its stage is granted.
        let wit = include_str!("../../../wit/pipeline.wit");
        let grants = Grants::default();
        for stage in Stage::ALL {
            let world = wit
                .split(&format!("world {stage} {{"))
                .nth(1)
                .and_then(|rest| rest.split('}').next())
                .unwrap();
            let imported: BTreeSet<Capability> = world
                .lines()
                .filter_map(|line| line.trim().strip_prefix("import septet:capability/"))
                .map(|rest| rest.split('@').next().unwrap().parse().unwrap())
                .collect();
            assert_eq!(&imported, grants.of(stage), "{stage}");
        }
    }

    #[test]
    fn settings_take_away_and_never_add() {
        let mut grants = Grants::default();
        grants
            .restrict(Stage::Train, &[Capability::BlobRead, Capability::BlobWrite])
            .unwrap();
        assert!(!grants.allows(Stage::Train, Capability::Queue));
        assert!(grants.labels(Stage::Train).is_empty());
        assert_eq!(grants.canonical(Stage::Train), "blob-read,blob-write");
        let error = grants
            .restrict(Stage::Train, &[Capability::Models])
            .unwrap_err();
        assert!(error.to_string().contains("can't be granted models"));
    }

    #[test]
    fn the_canonical_spelling_tells_labels() {
        let grants = Grants::default();
        assert_eq!(
            grants.canonical(Stage::Monitor),
            "blob-read,blob-write,queue(alerts),registry-read,log"
        );
    }

    #[test]
    fn capabilities_are_found_by_name() {
        for capability in Capability::ALL {
            assert_eq!(capability.name().parse::<Capability>().unwrap(), capability);
        }
        assert!("blobs".parse::<Capability>().is_err());
    }
}
