//! A log of records that only grows: each entry holds the digest of the one before, so that none can
//! be changed or taken out unseen, and to create the next one is the compare-and-swap.
//!
//! It owns keys, links and the race for the next entry. It must not know what an entry says.

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::record;
use crate::{
    contract::Digest,
    store::{self, Created, Records},
};

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link<E> {
    /// From 1.
    pub seq: u64,
    /// The sha-256 of the entry before, as it is stored; none for the first.
    pub previous: Option<Digest>,
    /// RFC 3339, UTC.
    pub when: String,
    /// A run, or a person.
    pub who: String,
    /// What happened.
    pub event: E,
}

/// How far a log is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// How many entries there are.
    pub(super) seq: u64,
    /// The digest of the last one.
    pub(super) digest: Option<Digest>,
}

/// Where a log is.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// As errors name it: `the log of model 'm'`.
    name: String,
    /// What the keys of its entries begin with.
    prefix: String,
    /// The digits of the number in a key.
    digits: usize,
}

impl Chain {
    /// The log whose entries have keys of `prefix` and a number of so many `digits`.
    pub(super) const fn new(name: String, prefix: String, digits: usize) -> Self {
        Self {
            name,
            prefix,
            digits,
        }
    }

    /// The key of an entry.
    pub(super) fn key(&self, seq: u64) -> String {
        let (prefix, digits) = (&self.prefix, self.digits);
        format!("{prefix}{seq:0digits$}")
    }

    /// The entries behind `head`, their links checked, and the head that they make.
    pub(super) async fn read<E: DeserializeOwned>(
        &self,
        records: &dyn Records,
        head: Head,
    ) -> anyhow::Result<(Vec<Link<E>>, Head)> {
        let after = (head.seq > 0).then(|| self.key(head.seq));
        let new = record::list_after(records, &self.prefix, after).await?;
        self.check(&new, head)
    }

    /// Decodes entries behind `head` and checks their links.
    pub(super) fn check<E: DeserializeOwned>(
        &self,
        records: &[store::Entry],
        mut head: Head,
    ) -> anyhow::Result<(Vec<Link<E>>, Head)> {
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let seq = head.seq + 1;
            let broken = || self.broken(seq);
            let entry: Link<E> = serde_json::from_slice(&record.value).with_context(broken)?;
            ensure!(
                record.key == self.key(seq) && entry.seq == seq,
                "{}: an entry before it is missing",
                broken()
            );
            ensure!(
                entry.previous == head.digest,
                "{}: the entry before it is not the one that was written",
                broken()
            );
            head = Head {
                seq,
                digest: Some(Digest::of(&record.value)),
            };
            entries.push(entry);
        }
        Ok((entries, head))
    }

    /// What is said of a log that was damaged.
    pub(super) fn broken(&self, seq: u64) -> String {
        format!("{} is broken at entry {seq}", self.name)
    }

    /// Appends an entry behind `head`, and gives it; none where another was faster.
    pub(super) async fn append<E: Serialize>(
        &self,
        records: &dyn Records,
        head: Head,
        (when, who, event): (String, &str, E),
    ) -> anyhow::Result<Option<Link<E>>> {
        let entry = Link {
            seq: head.seq + 1,
            previous: head.digest,
            when,
            who: who.to_owned(),
            event,
        };
        let value = record::encode(&entry)?;
        let created = records.create(&self.key(entry.seq), &value).await;
        let created = created.with_context(|| format!("cannot append to {}", self.name))?;
        Ok((created == Created::New).then_some(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory;

    fn chain() -> Chain {
        Chain::new("the log of tests".to_owned(), "stages/".to_owned(), 8)
    }

    #[tokio::test]
    async fn what_is_known_is_not_read_again_and_one_of_two_is_the_next() {
        let store = memory();
        let records = store.records.as_ref();
        let entry = |text: &'static str| ("2026".to_owned(), "me", text.to_owned());
        let first = Head::default();
        assert!(
            chain()
                .append(records, first, entry("a"))
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            chain()
                .append(records, first, entry("b"))
                .await
                .unwrap()
                .is_none()
        );
        let (read, head) = chain().read::<String>(records, first).await.unwrap();
        assert_eq!((read.len(), head.seq), (1, 1));
        assert!(
            chain()
                .append(records, head, entry("c"))
                .await
                .unwrap()
                .is_some()
        );
        let (read, head) = chain().read::<String>(records, head).await.unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].event.as_str(), head.seq), ("c", 2));
        let (none, same) = chain().read::<String>(records, head).await.unwrap();
        assert!(none.is_empty() && same == head);
    }

    #[tokio::test]
    async fn a_changed_or_missing_entry_is_seen() {
        let store = memory();
        let records = store.records.as_ref();
        let mut head = Head::default();
        for text in ["a", "b", "c"] {
            let entry = (String::new(), "me", text.to_owned());
            chain().append(records, head, entry).await.unwrap().unwrap();
            head = chain().read::<String>(records, head).await.unwrap().1;
        }
        records.delete("stages/00000002").await.unwrap();
        let error = chain()
            .read::<String>(records, Head::default())
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("entry 2: an entry before it is missing")
        );
        let other = serde_json::json!({
            "seq": 2, "previous": null, "when": "", "who": "you", "event": "b",
        });
        let other = other.to_string();
        records
            .create("stages/00000002", other.as_bytes())
            .await
            .unwrap();
        let error = chain()
            .read::<String>(records, Head::default())
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("entry 2: the entry before it"),
            "{error}"
        );
    }
}
