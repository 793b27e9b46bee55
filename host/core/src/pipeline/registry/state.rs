//! A model's log folded: its versions, its aliases, and what they were before.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};

use super::{
    event::{Entry, Event, Move, Registration},
    name::{Selector, nearest},
};
use crate::{
    contract::{Artifact, Digest, PinnedAlias, PinnedVersion},
    pipeline::{chain::Head, run::Source},
};

/// A model as it is after an entry of its log.
#[derive(Clone, Debug, Default)]
pub struct ModelState {
    /// The model's name.
    pub name: String,
    /// The versions, from 1, in order.
    pub versions: Vec<Version>,
    /// Where each alias points.
    pub aliases: BTreeMap<String, Alias>,
    /// How many entries the log has.
    pub entries: u64,
    /// How far the log was read.
    pub(super) head: Head,
    causes: BTreeSet<String>,
    accepted: Option<Accepted>,
    barred: BTreeMap<String, BTreeSet<u32>>,
}

/// A schema that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The schema.
    pub schema: Artifact,
    /// RFC 3339, UTC.
    pub when: String,
    /// Who accepted it.
    pub who: String,
}

/// A registered version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As a stage sees it.
    pub pinned: PinnedVersion,
    /// The run that made it.
    pub run: String,
    /// RFC 3339, UTC.
    pub when: String,
    /// The test rows that it was evaluated on.
    pub test: Option<Digest>,
    /// The schema that its parts were held to.
    pub schema: Option<Artifact>,
    /// The split of its rows.
    pub split: Option<Artifact>,
    /// The files that hold its test rows, where it was not split.
    pub tests: Vec<Source>,
}

impl Version {
    fn of(version: &Registration, when: &str) -> Self {
        Self {
            pinned: PinnedVersion {
                number: version.number,
                bundle: version.bundle,
                bundle_size: version.bundle_size,
                infer: version.infer,
                summary: version.summary.clone(),
            },
            run: version.run.clone(),
            when: when.to_owned(),
            test: version.test,
            schema: version.schema.clone(),
            split: version.split.clone(),
            tests: version.tests.clone(),
        }
    }
}

/// Where an alias points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The version's number.
    pub version: u32,
    /// How many times it was moved.
    pub revision: u64,
    /// What it was before each move that has not been rolled back, the last one last.
    pub before: Vec<Before>,
}

/// An alias before a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// The version's number; none where it was not set.
    pub version: Option<u32>,
    /// How many times it had been moved.
    pub revision: u64,
}

impl ModelState {
    /// Folds a log whose chain has been checked.
    pub(super) fn fold(name: &str, log: &[Entry], head: Head) -> anyhow::Result<Self> {
        let mut state = Self {
            name: name.to_owned(),
            head,
            ..Self::default()
        };
        for entry in log {
            let applied = state.apply(entry);
            let seq = entry.seq;
            applied
                .with_context(|| format!("the log of model '{name}' is broken at entry {seq}"))?;
        }
        Ok(state)
    }

    fn apply(&mut self, entry: &Entry) -> anyhow::Result<()> {
        self.entries = entry.seq;
        match &entry.event {
            Event::Register(version) => {
                let next = self.versions.len() as u32 + 1;
                ensure!(version.number == next, "the next version is {next}");
                self.versions.push(Version::of(version, &entry.when));
            }
            Event::Alias(change) => self.apply_move(change)?,
            Event::Schema(acceptance) => {
                self.accepted = Some(Accepted {
                    schema: acceptance.schema.clone(),
                    when: entry.when.clone(),
                    who: entry.who.clone(),
                });
            }
        }
        Ok(())
    }

    fn apply_move(&mut self, change: &Move) -> anyhow::Result<()> {
        let before = self.before(&change.alias);
        let fits = before.version == change.from && before.revision + 1 == change.revision;
        ensure!(fits, "the alias was not where the entry says");
        self.version(change.to)
            .context("there is no such version")?;
        let mut history = match self.aliases.remove(&change.alias) {
            Some(alias) => alias.before,
            None => Vec::new(),
        };
        if change.rollback {
            let last = history.pop().and_then(|before| before.version);
            ensure!(
                last == Some(change.to),
                "the rollback is to another version"
            );
        } else {
            history.push(before);
        }
        // Whoever moves an alias to a version, by hand or back, wants it there again.
        let barred = self.barred.entry(change.alias.clone()).or_default();
        if change.rollback {
            barred.extend(before.version);
        }
        barred.remove(&change.to);
        let alias = Alias {
            version: change.to,
            revision: change.revision,
            before: history,
        };
        self.aliases.insert(change.alias.clone(), alias);
        self.causes.extend(change.cause.clone());
        Ok(())
    }

    /// The version with this number.
    pub fn version(&self, number: u32) -> Option<&Version> {
        self.versions.get((number as usize).checked_sub(1)?)
    }

    /// The version with this bundle.
    pub fn version_of(&self, bundle: &Digest) -> Option<&Version> {
        let mut versions = self.versions.iter();
        versions.find(|version| version.pinned.bundle == *bundle)
    }

    /// The version that an alias points at.
    pub fn pointed_at(&self, alias: &str) -> Option<&Version> {
        self.version(self.aliases.get(alias)?.version)
    }

    /// The version that a user means.
    pub fn find(&self, selector: &Selector) -> anyhow::Result<&Version> {
        let name = &self.name;
        match selector {
            Selector::Version(number) => {
                let count = self.versions.len();
                self.version(*number).with_context(|| match count {
                    0 => format!("model '{name}' has no version"),
                    1 => format!("model '{name}' has no version {number}: only version 1"),
                    _ => format!("model '{name}' has no version {number}: only 1 to {count}"),
                })
            }
            Selector::Alias(alias) => {
                let names = || self.aliases.keys().map(String::as_str);
                self.pointed_at(alias).with_context(|| match nearest(alias, names()) {
                    Some(near) => format!("model '{name}' has no alias '{alias}': is it '{near}'?"),
                    None if self.aliases.is_empty() && !self.versions.is_empty() => format!(
                        "model '{name}' has no alias '{alias}', as no version was promoted: name \
                         one, as in {name}@{}",
                        self.versions.len()
                    ),
                    None => format!("model '{name}' has no alias '{alias}'"),
                })
            }
        }
    }

    /// The schema that the model's parts are held to: the one that was accepted last, else that of
    /// the first version that has one.
    pub fn schema(&self) -> Option<&Artifact> {
        let first = || self.versions.iter().find_map(|v| v.schema.as_ref());
        let accepted = self.accepted.as_ref().map(|accepted| &accepted.schema);
        accepted.or_else(first)
    }

    /// The acceptance that the schema comes from; none where a version pinned it.
    pub const fn accepted(&self) -> Option<&Accepted> {
        self.accepted.as_ref()
    }

    /// The split on which the next version's is built: that of the newest version that has one.
    pub fn split(&self) -> Option<&Artifact> {
        self.versions.iter().rev().find_map(|v| v.split.as_ref())
    }

    /// The files that hold the model's test rows; none where its rows are split.
    pub fn tests(&self) -> &[Source] {
        // A version without a split says nothing of tests: it may be older than splits are.
        let first = self.versions.iter().find(|version| version.split.is_some());
        first.map_or(&[], |version| &version.tests)
    }

    /// How many versions were evaluated on the test rows of this split, once the one with this
    /// bundle is registered. Appended files bring new rows to a test, but nearly all of it stays:
    /// it is the split that wears out, and a new one (a new cut in time) is fresh. Versions
    /// without a split are told by their very test rows, `test`. For a version that is there
    /// already only those up to it count, so that the same candidate is always told the same.
    pub fn test_uses(&self, split: Option<&Digest>, test: &Digest, bundle: &Digest) -> u32 {
        let same = |version: &&Version| match (&version.split, split) {
            (Some(there), Some(split)) => there.digest == *split,
            _ => version.test.as_ref() == Some(test),
        };
        let others = self.versions.iter();
        let others = others.take_while(|version| version.pinned.bundle != *bundle);
        others.filter(same).count() as u32 + 1
    }

    /// How many versions up to this one were evaluated on its test rows; none where they are not
    /// known.
    pub fn test_uses_of(&self, version: &Version) -> Option<u32> {
        let test = version.test.as_ref()?;
        let split = version.split.as_ref().map(|split| &split.digest);
        Some(self.test_uses(split, test, &version.pinned.bundle))
    }

    /// Whether the version was rolled back from under the alias: then no run puts it there again,
    /// until somebody promotes it.
    pub fn is_barred(&self, alias: &str, version: u32) -> bool {
        let barred = self.barred.get(alias);
        barred.is_some_and(|barred| barred.contains(&version))
    }

    /// Whether a run that began with the split `given` may register `version`: not where another
    /// run has built on the same one meanwhile, or was tested on other files, because then a row
    /// might be in the test of the one and in the training of the other.
    pub(super) fn takes_split(&self, given: Option<&Digest>, version: &Registration) -> bool {
        let Some(newest) = self.split().map(|split| &split.digest) else {
            return true;
        };
        let made = version.split.as_ref().map(|split| &split.digest);
        let digests = |tests: &[Source]| -> BTreeSet<Digest> {
            tests.iter().map(|test| test.artifact.digest).collect()
        };
        (given == Some(newest) || made == Some(newest))
            && digests(&version.tests) == digests(self.tests())
    }

    /// Whether a move for this cause is in the log.
    pub(super) fn has_cause(&self, cause: &str) -> bool {
        self.causes.contains(cause)
    }

    /// What an alias is now, as the next move will have found it.
    pub fn before(&self, alias: &str) -> Before {
        self.aliases.get(alias).map_or(
            Before {
                version: None,
                revision: 0,
            },
            |alias| Before {
                version: Some(alias.version),
                revision: alias.revision,
            },
        )
    }

    /// The version to which a rollback of `alias` goes.
    pub fn rollback_target(&self, alias: &str) -> anyhow::Result<u32> {
        let name = &self.name;
        let Some(state) = self.aliases.get(alias) else {
            bail!("model '{name}' has no alias '{alias}' to roll back");
        };
        let last = state.before.last().and_then(|before| before.version);
        last.with_context(|| {
            format!(
                "the {alias} of model '{name}' is version {}, and it was none before: there is \
                 nothing to roll back to",
                state.version
            )
        })
    }

    /// The alias as it is.
    pub fn pin(&self, alias: &str) -> PinnedAlias {
        self.pinned(alias, self.before(alias))
    }

    /// The alias as the evaluation of a candidate must see it, so that the same candidate meets
    /// the same evaluation again.
    ///
    /// Where the alias points at the candidate, this is what it was before it was moved there: a
    /// second identical run is then answered by the evaluation that promoted it. Anywhere else it
    /// is the alias as it is. A rollback makes a new revision, so that a candidate that was rolled
    /// back is evaluated afresh; and it restores the history of the version it goes back to, so
    /// that this one is still answered by its own evaluation.
    pub fn incumbent(&self, alias: &str, candidate: &Digest) -> PinnedAlias {
        let there = self.pointed_at(alias);
        if there.is_none_or(|version| version.pinned.bundle != *candidate) {
            return self.pin(alias);
        }
        let history = self
            .aliases
            .get(alias)
            .and_then(|alias| alias.before.last());
        self.pinned(
            alias,
            history.copied().unwrap_or_else(|| self.before(alias)),
        )
    }

    fn pinned(&self, alias: &str, at: Before) -> PinnedAlias {
        let version = at.version.and_then(|number| self.version(number));
        PinnedAlias {
            model: self.name.clone(),
            alias: alias.to_owned(),
            revision: at.revision,
            version: version.map(|version| version.pinned.clone()),
        }
    }
}
