//! Who is doing a work: so that several runs that need the same work at once have it done once.
//!
//! It is a courtesy and no lock: were two to do the same work after all, the first commit of each
//! invocation would count, and both are alike. So nothing here needs to be more than it is: a
//! sequence of records, each valid for a lease, of which the last one counts. Who creates the next
//! one is doing the work.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{invocation::Invocation, record, view::Pipeline};
use crate::{
    contract::Digest,
    store::{Entry, millis},
};

/// More than there are records of one work: each one deletes those before it.
const LOOK: usize = 1000;

/// One record of the sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claimed {
    by: Invocation,
    /// Milliseconds since 1970, UTC.
    until: u64,
}

/// A work that this worker is doing.
pub(super) struct Doing {
    pipeline: Pipeline,
    work: Digest,
    by: Invocation,
    lease: Duration,
    generation: AtomicU32,
}

fn key(work: &Digest, generation: u32) -> String {
    format!("{}{generation:08}", prefix(work))
}

fn prefix(work: &Digest) -> String {
    format!("doing/{work}/")
}

/// Whether a record of the sequence was valid until then at most: its worker is gone.
pub(super) fn ran_out(entry: &Entry, then: u64) -> bool {
    let claimed: anyhow::Result<Claimed> = record::decode(&entry.key, &entry.value);
    claimed.is_ok_and(|claimed| claimed.until < then)
}

impl Doing {
    /// Begins on a work; none where another is at it.
    pub(super) async fn begin(
        pipeline: &Pipeline,
        work: Digest,
        by: &Invocation,
        lease: Duration,
    ) -> anyhow::Result<Option<Self>> {
        let records = pipeline.store.records.as_ref();
        let all = records.list(&prefix(&work), None, LOOK).await?;
        let next = match all.last() {
            None => 0,
            Some(last) => {
                let claimed: Claimed = record::decode(&last.key, &last.value)?;
                let now = pipeline.clock.now();
                // One of our own is of a worker that lost the message that we have now. One that
                // is valid for longer than a lease was made before the clock was set back.
                let valid = claimed.until > now && claimed.until <= now + 2 * millis(lease);
                if valid && claimed.by != *by {
                    return Ok(None);
                }
                let number = last.key.rsplit('/').next().unwrap_or_default();
                number.parse::<u32>().unwrap_or_default().saturating_add(1)
            }
        };
        let doing = Self {
            pipeline: pipeline.clone(),
            work,
            by: by.clone(),
            lease,
            generation: AtomicU32::new(next),
        };
        if !doing.claim(next).await? {
            return Ok(None);
        }
        for old in all {
            records.delete(&old.key).await?;
        }
        Ok(Some(doing))
    }

    async fn claim(&self, generation: u32) -> anyhow::Result<bool> {
        let claimed = Claimed {
            by: self.by.clone(),
            until: self.pipeline.clock.now() + millis(self.lease),
        };
        let records = self.pipeline.store.records.as_ref();
        let first = record::create(records, &key(&self.work, generation), &claimed).await?;
        Ok(first.is_none())
    }

    /// Goes on for another lease. Where another has begun meanwhile, both are at it: that costs
    /// time and nothing else.
    pub(super) async fn renew(&self) -> anyhow::Result<()> {
        let now = self.generation.load(Ordering::SeqCst);
        if self.claim(now + 1).await? {
            self.generation.store(now + 1, Ordering::SeqCst);
            let records = &self.pipeline.store.records;
            records.delete(&key(&self.work, now)).await?;
        }
        Ok(())
    }

    /// Ends it, so that others look for what came of it.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let now = self.generation.load(Ordering::SeqCst);
        let records = &self.pipeline.store.records;
        records.delete(&key(&self.work, now)).await
    }
}
