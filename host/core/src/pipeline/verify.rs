//! Whether a store is whole: its bytes, its records, and what one names of the other.
//!
//! It reads everything and writes nothing. It may run beside workers and collections: what looks
//! wrong is looked at once more before it counts, because it may just have been made or taken
//! away.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::{
    envelope::Asked,
    registry::Event,
    roots::{Kept, MOST_MESSAGES, read, walk},
    run::RunRequest,
    state::{active_key, run_key},
    swaps, transforms,
    view::Pipeline,
};
use crate::{
    contract::{Artifact, Digest, PinnedVersion, Proposal, Stage, StageMessage},
    store::{BlobError, Entry},
};

/// How many blobs are listed at once.
const PAGE: usize = 1000;

/// How many problems are told one by one; the others are counted.
const MOST_PROBLEMS: usize = 1000;

/// Something that is wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Blobs that are there.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Models.
    pub models: u64,
    /// Messages of the stages' queues.
    pub messages: u64,
    /// What is wrong, one by one up to a bound.
    pub problems: Vec<Problem>,
    /// Problems beyond that bound.
    pub more_problems: u64,
}

impl Verified {
    /// Notes something that is wrong.
    pub fn problem(&mut self, what: impl Into<String>, advice: impl Into<String>) {
        if self.problems.len() < MOST_PROBLEMS {
            let (what, advice) = (what.into(), advice.into());
            self.problems.push(Problem { what, advice });
        } else {
            self.more_problems += 1;
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Blobs that a record names and that are not there: the key of the first record that does.
type Missing = BTreeMap<Digest, String>;

impl Pipeline {
    /// Looks at everything. The `embedded` components need not be in the store.
    pub async fn verify(&self, embedded: &BTreeSet<Digest>) -> anyhow::Result<Verified> {
        let mut verified = Verified::default();
        let there = self.verify_blobs(&mut verified).await?;
        let missing = self.verify_records(embedded, &there, &mut verified).await?;
        self.verify_missing(missing, &mut verified).await?;
        let registry = self.registry();
        for model in registry.models().await? {
            verified.models += 1;
            if let Err(error) = registry.state(&model).await {
                let advice = "restore septet.db from a copy of the store";
                verified.problem(format!("{error:#}"), advice);
            }
        }
        let logs = [
            self.swaps().whole().await,
            self.transforms().log().await.map(drop),
        ];
        for error in logs.into_iter().filter_map(Result::err) {
            let advice = "restore septet.db from a copy of the store";
            verified.problem(format!("{error:#}"), advice);
        }
        self.verify_messages(&mut verified).await?;
        Ok(verified)
    }

    /// Reads all blobs, and gives those whose bytes are what they should be.
    async fn verify_blobs(&self, verified: &mut Verified) -> anyhow::Result<HashSet<Digest>> {
        let blobs = &self.store.blobs;
        let mut there = HashSet::new();
        let mut after = None;
        loop {
            let page = blobs.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(there);
            };
            after = Some(last.digest);
            for listed in &page {
                // To open a blob is to check its bytes.
                match blobs.open(&listed.digest).await {
                    Ok(reader) => {
                        verified.blobs += 1;
                        verified.bytes += reader.size();
                        there.insert(listed.digest);
                    }
                    // Deleted since it was listed.
                    Err(BlobError::Missing(_)) => {}
                    Err(error @ BlobError::Corrupt { .. }) => {
                        // It is there, and need not be told of again as missing.
                        there.insert(listed.digest);
                        let advice = "restore it from a copy of the store, or delete it and run \
                                      again on the same data: what is made again heals it";
                        verified.problem(error.to_string(), advice);
                    }
                    Err(BlobError::Backend(error)) => {
                        there.insert(listed.digest);
                        let what = format!("blob {} can't be read: {error:#}", listed.digest);
                        verified.problem(what, "look at the disk and at who may read the store");
                    }
                }
            }
        }
    }

    async fn verify_records(
        &self,
        embedded: &BTreeSet<Digest>,
        there: &HashSet<Digest>,
        verified: &mut Verified,
    ) -> anyhow::Result<Missing> {
        let mut missing = Missing::new();
        walk(self.store.records.as_ref(), "", |entry| {
            verified.records += 1;
            match needs(entry, embedded) {
                Ok(needed) => {
                    for digest in needed {
                        if !there.contains(&digest) && missing.len() < MOST_PROBLEMS {
                            let key = || entry.key.clone();
                            missing.entry(digest).or_insert_with(key);
                        }
                    }
                }
                Err(error) => {
                    let advice = "restore septet.db from a copy of the store";
                    verified.problem(format!("{error:#}"), advice);
                }
            }
            Ok(())
        })
        .await?;
        Ok(missing)
    }

    /// What is missing may have been made since the blobs were looked at, and what names it may
    /// have been forgotten.
    async fn verify_missing(
        &self,
        missing: Missing,
        verified: &mut Verified,
    ) -> anyhow::Result<()> {
        for (digest, key) in missing {
            let gone = matches!(
                self.store.blobs.open(&digest).await,
                Err(BlobError::Missing(_))
            );
            if gone && self.store.records.get(&key).await?.is_some() {
                let advice = if key.starts_with("work/") {
                    "nothing is lost: the work is done again when it is asked for"
                } else {
                    "restore it from a copy of the store, or run again on the same data: what is \
                     made again has the same digest"
                };
                verified.problem(
                    format!("blob {digest} is missing: the record {key} names it"),
                    advice,
                );
            }
        }
        Ok(())
    }

    /// Messages that ask for work of runs that have ended or are not there.
    async fn verify_messages(&self, verified: &mut Verified) -> anyhow::Result<()> {
        for stage in Stage::ALL {
            let queue = stage.name();
            let messages = self.store.queues.peek(queue, MOST_MESSAGES).await?;
            verified.messages += messages.len() as u64;
            let mut left = Vec::new();
            let mut runs = BTreeMap::new();
            for message in messages {
                let Ok(asked) = Asked::decode(&message.body) else {
                    let what = format!("queue {queue}: message {} is not septet's", message.id);
                    let advice = format!("a worker sets it aside: see {queue}-poison");
                    verified.problem(shown(&what), advice);
                    continue;
                };
                let known = runs.get(&asked.run).copied();
                let why = if let Some(why) = known {
                    why
                } else {
                    let why = self.inactive(&asked.run).await?;
                    runs.insert(asked.run.clone(), why);
                    why
                };
                if let Some(why) = why {
                    left.push((message.id, asked.run, why));
                }
            }
            if left.is_empty() {
                continue;
            }
            // The end of a run takes its messages away behind it.
            let still = self.store.queues.peek(queue, MOST_MESSAGES).await?;
            let still: BTreeSet<String> = still.into_iter().map(|message| message.id).collect();
            for (id, run, why) in left.into_iter().filter(|(id, ..)| still.contains(id)) {
                let what = format!("queue {queue}: message {id} asks for run {run}, which {why}");
                verified.problem(
                    shown(&what),
                    "a worker takes it away: start `septet work` or any run",
                );
            }
        }
        Ok(())
    }

    /// Why nothing is to be done for a run; none where something is.
    async fn inactive(&self, run: &str) -> anyhow::Result<Option<&'static str>> {
        let records = self.store.records.as_ref();
        if records.get(&active_key(run)).await?.is_some() {
            return Ok(None);
        }
        let there = records.get(&run_key(run)).await?.is_some();
        Ok(Some(if there { "has ended" } else { "is not there" }))
    }
}

/// Text from outside, on one line and bounded.
fn shown(text: &str) -> String {
    text.chars().take(400).filter(|c| !c.is_control()).collect()
}

/// The blobs that must be there because of a record.
fn needs(entry: &Entry, embedded: &BTreeSet<Digest>) -> anyhow::Result<Vec<Digest>> {
    let mut needed: Vec<Digest> = Vec::new();
    let mut components = Vec::new();
    match read(entry)? {
        Kept::Request(request) => {
            // The components of a run that has ended are on record only: another septet may
            // have had them.
            if entry.key.starts_with("active/") {
                components.extend(request.components.values());
            }
            of_request(&request, &mut needed);
            if let Some(model) = &request.model {
                of_version(&model.version, &mut needed);
                components.push(model.version.infer);
            }
        }
        Kept::Commit(commit) => {
            let outputs = commit.outcome().map(|outcome| outcome.outputs.as_slice());
            needed.extend(artifacts(&commit.inputs));
            needed.extend(artifacts(outputs.unwrap_or_default()));
            of_published(&commit.messages, &commit.proposals, &mut needed);
        }
        Kept::Work(work) => {
            needed.extend(artifacts(&work.outcome.outputs));
            of_published(&work.messages, &work.proposals, &mut needed);
        }
        Kept::Event(entry) => match entry.event {
            Event::Register(version) => {
                needed.push(version.bundle);
                needed.extend(version.test);
                needed.extend(artifacts(version.schema.as_slice()));
                needed.extend(artifacts(version.split.as_slice()));
                needed.extend(version.tests.iter().map(|part| part.artifact.digest));
                needed.extend(transforms(&version.summary));
                components.push(version.infer);
            }
            Event::Alias(change) => needed.extend(change.gate),
            Event::Schema(acceptance) => needed.push(acceptance.schema.digest),
        },
        // What was in force once may be gone back to.
        Kept::Swap(entry) => {
            let admitted = entry.event.admitted();
            // What is no component has no bytes.
            let external =
                |admitted: &&swaps::Admitted| admitted.wished == Some(swaps::Wished::External);
            let admitted = admitted.filter(|admitted| !external(admitted));
            components.extend(admitted.map(|admitted| admitted.component));
        }
        Kept::Transform(entry) => {
            if let transforms::Event::Added(addition) = &entry.event {
                needed.push(addition.component);
            }
        }
        Kept::Started(_) | Kept::Other => {}
    }
    needed.extend(components.iter().filter(|c| !embedded.contains(c)));
    Ok(needed)
}

fn artifacts(artifacts: &[Artifact]) -> impl Iterator<Item = Digest> {
    artifacts.iter().map(|artifact| artifact.digest)
}

fn of_request(request: &RunRequest, needed: &mut Vec<Digest>) {
    needed.extend(request.sources.iter().map(|source| source.artifact.digest));
    let pinned = &request.pinned;
    let given = [&request.declared, &pinned.schema, &pinned.split];
    needed.extend(given.into_iter().flatten().map(|given| given.digest));
    needed.extend(&request.transforms);
}

fn of_version(version: &PinnedVersion, needed: &mut Vec<Digest>) {
    needed.push(version.bundle);
    needed.extend(transforms(&version.summary));
}

fn of_published(messages: &[StageMessage], proposals: &[Proposal], needed: &mut Vec<Digest>) {
    let claims = messages.iter().filter_map(|message| message.claim);
    needed.extend(claims.map(|claim| claim.digest));
    needed.extend(proposals.iter().map(|proposal| proposal.bundle));
}

/// The transforms that a version's summary names.
fn transforms(summary: &str) -> Vec<Digest> {
    let summary: Value = serde_json::from_str(summary).unwrap_or_default();
    let transforms = summary.get("transforms").and_then(Value::as_array);
    let digests = transforms.into_iter().flatten().filter_map(Value::as_str);
    digests.filter_map(|digest| digest.parse().ok()).collect()
}
