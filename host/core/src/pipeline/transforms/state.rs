//! The log folded: which names there are, and what each of their versions is.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, bail};

use super::{
    event::{Addition, Entry, Event},
    name::TransformRef,
};
use crate::{contract::Digest, pipeline::registry::nearest};

/// A name and all that it has stood for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTransform {
    /// The name.
    pub name: String,
    /// Oldest first. A name that was removed and added again goes on counting, so that `NAME@2` is
    /// one component for good.
    pub versions: Vec<TransformVersion>,
    /// When it was removed, where it is.
    pub removed: Option<String>,
}

/// What a name stood for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformVersion {
    /// From 1.
    pub number: u32,
    /// The component, and what was found when it was tried.
    pub addition: Arc<Addition>,
    /// RFC 3339, UTC.
    pub when: String,
    /// Who added it.
    pub who: String,
}

impl NamedTransform {
    /// What it stands for; none where it was removed.
    pub fn newest(&self) -> Option<&TransformVersion> {
        match self.removed {
            Some(_) => None,
            None => self.versions.last(),
        }
    }
}

/// All names.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<String, NamedTransform>);

impl Names {
    /// Folds the log, whose links were checked.
    pub(super) fn fold(log: &[Entry]) -> Self {
        let mut names = Self::default();
        for entry in log {
            let name = entry.event.name();
            let named = names.0.entry(name.to_owned());
            let named = named.or_insert_with(|| NamedTransform {
                name: name.to_owned(),
                versions: Vec::new(),
                removed: None,
            });
            match &entry.event {
                Event::Added(addition) => {
                    let number = named.versions.len() as u32 + 1;
                    named.removed = None;
                    named.versions.push(TransformVersion {
                        number,
                        addition: Arc::new(addition.clone()),
                        when: entry.when.clone(),
                        who: entry.who.clone(),
                    });
                }
                Event::Removed(_) => named.removed = Some(entry.when.clone()),
            }
        }
        names
    }

    /// The name, if it ever was one.
    pub(super) fn get(&self, name: &str) -> Option<&NamedTransform> {
        self.0.get(name)
    }

    /// All of them that stand for something, in order.
    pub(super) fn living(self) -> Vec<NamedTransform> {
        let all = self.0.into_values();
        all.filter(|named| named.removed.is_none()).collect()
    }

    /// The names that a component has, as a user would mean them.
    pub(super) fn of(&self, component: &Digest) -> Vec<TransformRef> {
        let living = self.0.values().filter(|named| named.removed.is_none());
        let refs = living.flat_map(|named| {
            let same = |version: &&TransformVersion| version.addition.component == *component;
            let versions = named.versions.iter().filter(same);
            versions.map(|version| TransformRef {
                name: named.name.clone(),
                version: std::num::NonZeroU32::new(version.number),
            })
        });
        refs.collect()
    }

    /// The version that a user means; where there is none, the error names the nearest.
    pub(super) fn find(&self, asked: &TransformRef) -> anyhow::Result<&TransformVersion> {
        let name = &asked.name;
        let Some(named) = self.0.get(name) else {
            let living = self.0.values().filter(|named| named.removed.is_none());
            let names: Vec<&str> = living.map(|named| named.name.as_str()).collect();
            match nearest(name, names.iter().copied()) {
                Some(near) => bail!("there is no transform '{name}': is it '{near}'?"),
                None if names.is_empty() => bail!(
                    "there is no transform '{name}': add one with `septet transform add FILE --name {name}`, or \
                     give the path of a .wasm file"
                ),
                None => bail!(
                    "there is no transform '{name}': there is {}; a file is meant by a path or by .wasm",
                    names.join(", ")
                ),
            }
        };
        if let Some(when) = &named.removed {
            bail!(
                "the transform '{name}' was removed on {when}: add it again, or name a .wasm file"
            );
        }
        let found = match asked.version {
            None => named.versions.last(),
            Some(number) => named.versions.get(number.get() as usize - 1),
        };
        let count = named.versions.len();
        found.with_context(|| {
            format!("there is no transform '{asked}': its versions are 1 to {count}")
        })
    }
}
