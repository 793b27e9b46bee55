//! What records and messages name, so that nothing that is named is deleted.
//!
//! Every record of the store is read, whatever its key begins with, and whatever looks like a
//! digest in its key or its value counts as named: a field that is added one day, or JSON in a
//! string of JSON, is not overlooked. That keeps too much at worst, and never too little. What is
//! known must be readable beside that: nothing is deleted on the word of a damaged record.
//!
//! It must not delete or write anything.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Context, ensure};

use super::{
    commit::Commit, invocation::Invocation, ledger::Work, poison::invocation_of, publish::Change,
    record, registry, run::RunRequest, start::Started, swaps, transforms, view::Pipeline,
};
use crate::{
    contract::{Digest, Stage},
    store::{Entry, Message, Records},
};

/// How many records are asked for at once: one may have a megabyte.
const PAGE: usize = 100;

/// How many messages of a queue are looked through: they can't be read in pages.
pub(super) const MOST_MESSAGES: usize = 100_000;

/// A record that the pipeline knows, read.
pub(super) enum Kept {
    Request(Box<RunRequest>),
    Commit(Box<Commit>),
    Work(Box<Work>),
    Event(Box<registry::Entry>),
    Swap(Box<swaps::Entry>),
    Transform(Box<transforms::Entry>),
    Started(Started),
    /// What names no blob, or is none of the pipeline's.
    Other,
}

/// Reads a record as what its key says it is.
pub(super) fn read(entry: &Entry) -> anyhow::Result<Kept> {
    let Entry { key, value } = entry;
    let kind = key.split('/').next().unwrap_or_default();
    let own = |invocation: &Invocation| {
        ensure!(
            invocation.key(kind) == *key,
            "the record {key} in the store is damaged: it is that of {invocation}"
        );
        Ok(())
    };
    Ok(match kind {
        "runs" | "active" => Kept::Request(record::decode(key, value)?),
        "commits" => {
            let commit: Box<Commit> = record::decode(key, value)?;
            own(&commit.invocation)?;
            Kept::Commit(commit)
        }
        "work" => Kept::Work(record::decode(key, value)?),
        "changes" => {
            let change: Change = record::decode(key, value)?;
            own(&change.invocation)?;
            Kept::Other
        }
        "reopened" => {
            own(&record::decode(key, value)?)?;
            Kept::Other
        }
        "started" => Kept::Started(record::decode(key, value)?),
        "models" => Kept::Event(record::decode(key, value)?),
        "stages" => Kept::Swap(record::decode(key, value)?),
        "transforms" => Kept::Transform(record::decode(key, value)?),
        "refused" => {
            record::decode::<swaps::Refusal>(key, value)?;
            Kept::Other
        }
        _ => Kept::Other,
    })
}

/// The run that a record belongs to and goes with, by its key.
pub(super) fn run_of(key: &str) -> Option<&str> {
    let mut parts = key.split('/');
    match parts.next()? {
        "runs" | "active" | "commits" | "published" | "changes" | "reopened" | "forgetting" => {
            parts.next()
        }
        _ => None,
    }
}

/// Looks at all records whose key starts with `prefix`, some at a time.
pub(super) async fn walk(
    records: &dyn Records,
    prefix: &str,
    each: impl FnMut(&Entry) -> anyhow::Result<()> + Send,
) -> anyhow::Result<()> {
    walk_after(records, prefix, None, each).await
}

/// As `walk`, but only at the records behind a key.
pub(super) async fn walk_after(
    records: &dyn Records,
    prefix: &str,
    mut after: Option<String>,
    mut each: impl FnMut(&Entry) -> anyhow::Result<()> + Send,
) -> anyhow::Result<()> {
    loop {
        let page = records.list(prefix, after.as_deref(), PAGE).await?;
        for entry in &page {
            each(entry)?;
        }
        match page.into_iter().next_back() {
            Some(last) => after = Some(last.key),
            None => return Ok(()),
        }
    }
}

/// Whatever looks like a digest in `bytes`.
fn digests(bytes: &[u8]) -> impl Iterator<Item = Digest> {
    let pieces = bytes.split(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let pieces = pieces.filter(|piece| piece.len() == 64);
    pieces.filter_map(|piece| std::str::from_utf8(piece).ok()?.parse().ok())
}

impl Pipeline {
    /// All that records and messages name, but for the records of the `forgotten` runs.
    pub(super) async fn named(
        &self,
        forgotten: &BTreeSet<String>,
    ) -> anyhow::Result<HashSet<Digest>> {
        let registry = self.registry();
        for model in registry.models().await? {
            // To read a model is to check the chain of its log.
            registry.state(&model).await?;
        }
        self.swaps().log().await?;
        self.transforms().log().await?;
        let mut named = HashSet::new();
        walk(self.store.records.as_ref(), "", |entry| {
            let kept = read(entry)?;
            let goes = match &kept {
                Kept::Work(work) => forgotten.contains(&work.by.run),
                _ => run_of(&entry.key).is_some_and(|run| forgotten.contains(run)),
            };
            if !goes {
                named.extend(digests(entry.key.as_bytes()));
                named.extend(digests(&entry.value));
            }
            Ok(())
        })
        .await?;
        self.set_aside(|_, message| named.extend(digests(&message.body)))
            .await?;
        Ok(named)
    }

    /// Looks at the messages of all queues but the stages' own, whose messages name no blob.
    async fn set_aside(&self, mut each: impl FnMut(&str, &Message) + Send) -> anyhow::Result<()> {
        let queues = &self.store.queues;
        for (queue, _) in queues.counts().await? {
            if queue.parse::<Stage>().is_ok() {
                continue;
            }
            let messages = queues.peek(&queue, MOST_MESSAGES + 1).await?;
            ensure!(
                messages.len() <= MOST_MESSAGES,
                "the queue {queue} has more than {MOST_MESSAGES} messages, and what they name is \
                 not known: take some out with `septet queues purge {queue}`"
            );
            for message in &messages {
                each(&queue, message);
            }
        }
        Ok(())
    }

    /// The runs that a person may still put back to work: a message about each is set aside.
    pub(super) async fn replayable(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut runs = BTreeSet::new();
        self.set_aside(|queue, message| {
            let poisoned = queue.ends_with("-poison").then_some(&message.body);
            let invocation = poisoned.and_then(|body| invocation_of(body));
            runs.extend(invocation.map(|invocation| invocation.run));
        })
        .await?;
        Ok(runs)
    }
}

/// When an identifier that begins with its time was made: milliseconds since 1970.
pub(super) fn made_at(id: &str) -> anyhow::Result<u64> {
    let id = uuid::Uuid::try_parse(id)?;
    let time = id.get_timestamp().context("it does not hold its time")?;
    let (seconds, nanoseconds) = time.to_unix();
    Ok(seconds * 1000 + u64::from(nanoseconds) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_digest_is_found_in_json_in_json_too() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let text = format!(r#"{{"a":"{one}","s":"{{\"transforms\":[\"{two}\"]}}","h":"00ff"}}"#);
        assert_eq!(digests(text.as_bytes()).collect::<Vec<_>>(), [one, two]);
        // Longer ones are bytes of something else.
        assert_eq!(digests(format!("{one}{two}").as_bytes()).count(), 0);
        assert_eq!(
            digests(format!("work/{one}").as_bytes()).collect::<Vec<_>>(),
            [one]
        );
    }

    #[test]
    fn the_time_of_an_identifier() {
        assert_eq!(
            made_at("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
            0x0189_0a5d_ac96
        );
        for bad in ["", "x", "936da01f-9abd-4d9d-80c7-02af85c822a8"] {
            assert!(made_at(bad).is_err(), "{bad}");
        }
    }
}
