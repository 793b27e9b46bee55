//! Garbage collection: blobs that nothing names any more are deleted, and old runs forgotten.
//!
//! It may run at any time beside workers, servers and other collections, and may be stopped at any
//! point. It has no lock and stops nobody. What makes it safe:
//!
//! - A blob is a candidate only when it was neither written nor touched for the *grace* before the
//!   collection began, and it is deleted only as it was listed: `Blobs::remove` leaves one that
//!   was written or touched since.
//! - Whoever makes a reference to a blob has written or touched it before: a stage's outputs and
//!   the bodies of claims are written by the call; `ledger::find` touches what it answers with; a
//!   run's parts are touched when it is started, and so are its components and an accepted schema.
//!   So a reference that is created after the references were read belongs to a blob that is too
//!   young, or was changed since the list. The grace must be longer than the longest time between
//!   the write and the reference: that of one call of a stage.
//! - A reference never moves from where it is not yet read to where it was read already: a run is
//!   in `runs/` before it leaves `active/`, commits and the registry only grow, and what is
//!   forgotten is no reference from the beginning of the collection on.
//! - `grace` is also what the clocks of several machines may differ by, less that call.
//!
//! References are read before blobs are listed, in pages: what is held in memory is 32 bytes for
//! each digest that is named, and no list of blobs. The time is taken before both, so that it
//! comes to the same as to list the candidates first.
//!
//! A record that can't be read ends the collection before anything is deleted by its absence.

use std::time::Duration;

use serde::Serialize;

use super::{
    doing::ran_out,
    forget::Old,
    roots::{made_at, walk},
    view::Pipeline,
};

/// How many blobs are listed at once.
const PAGE: usize = 1000;

/// What is to be collected.
#[derive(Clone, Copy, Debug)]
pub struct Collect {
    /// A blob that was used within this time stays, whether it is named or not.
    pub grace: Duration,
    /// Runs that ended so long ago are forgotten; none where all are kept.
    pub forget: Option<Duration>,
    /// Says what would be done, and does nothing.
    pub dry_run: bool,
}

/// What was collected, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Blobs that were deleted.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that stay.
    pub kept_blobs: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Those of them that stay only because they were used within the grace.
    pub young_blobs: u64,
    /// Runs that were forgotten.
    pub runs: u64,
    /// Records that were deleted.
    pub records: u64,
}

impl Pipeline {
    /// Deletes what nothing needs any more.
    pub async fn collect(&self, what: &Collect) -> anyhow::Result<Collected> {
        let began = self.clock.now();
        let ago = |time: Duration| {
            let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            began.saturating_sub(time)
        };
        let before = ago(what.grace);
        let mut collected = Collected::default();

        let old = self.old_runs(what.forget.map(ago)).await?;
        // All is read before anything is deleted: a damaged record ends it here.
        let named = self.named(&old.runs).await?;
        collected.runs = old.runs.len() as u64;
        collected.records = self.drop_records(&old, before, what.dry_run).await?;

        let blobs = &self.store.blobs;
        let mut after = None;
        loop {
            let page = blobs.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(collected);
            };
            after = Some(last.digest);
            for listed in &page {
                let is_named = named.contains(&listed.digest);
                let young = listed.used >= before;
                if !is_named && !young && (what.dry_run || blobs.remove(listed).await?) {
                    collected.blobs += 1;
                    collected.bytes += listed.size;
                    continue;
                }
                collected.kept_blobs += 1;
                collected.kept_bytes += listed.size;
                collected.young_blobs += u64::from(!is_named);
            }
        }
    }

    /// Deletes the records of old runs, and what crashes left of probes and of works that were
    /// being done; says how many.
    async fn drop_records(&self, old: &Old, before: u64, dry_run: bool) -> anyhow::Result<u64> {
        let mut dropped = 0;
        for run in &old.runs {
            let keys = self.records_of(run).await?;
            dropped += keys.len() as u64;
            if !dry_run {
                self.forget(run, old.caused.contains(run), &keys).await?;
            }
        }
        let records = self.store.records.as_ref();
        let mut left = Vec::new();
        walk(records, "probe/", |entry| {
            let made = made_at(entry.key.trim_start_matches("probe/"));
            if made.is_ok_and(|made| made < before) {
                left.push(entry.key.clone());
            }
            Ok(())
        })
        .await?;
        walk(records, "doing/", |entry| {
            if ran_out(entry, before) {
                left.push(entry.key.clone());
            }
            Ok(())
        })
        .await?;
        dropped += left.len() as u64;
        for key in left.iter().filter(|_| !dry_run) {
            records.delete(key).await?;
        }
        Ok(dropped)
    }
}
