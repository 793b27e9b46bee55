//! Old runs are forgotten: their records go, and with them what only they named.
//!
//! A run is forgotten when it ended long enough ago and nobody needs it:
//!
//! - no entry of a model's log came from it, neither a version nor a move of an alias;
//! - no run that is kept reused work of it: what the ledger answers with stays as it is;
//! - no message about it is set aside, so that nobody can put it back to work.
//!
//! # The order
//! 1. `forgetting/<run>` is created: from here on any collection goes on where one was stopped.
//! 2. `forgotten/<run>` is created if a cause began the run. `started/` stays, so that the same
//!    file, tick or key does not begin it again, and this says why the run is not there.
//! 3. The run's record goes first of the rest: who looks for it finds no run, not half of one.
//! 4. Then the work that it entered in the ledger, and what was published. Its commits go last:
//!    they say which work it was.
//! 5. `forgetting/<run>` is deleted.
//!
//! A run in `active/` is never looked at.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;

use super::{
    commit::Commit,
    envelope::group,
    ledger, record,
    roots::{Kept, made_at, read, walk},
    state::{active_key, run_key},
    view::Pipeline,
};

/// Old runs.
#[derive(Debug, Default)]
pub(super) struct Old {
    /// Those that are forgotten, those included with which a collection before was not finished.
    pub(super) runs: BTreeSet<String>,
    /// Those of them that a cause has begun.
    pub(super) caused: BTreeSet<String>,
}

fn forgetting_key(run: &str) -> String {
    format!("forgetting/{run}")
}

/// The key that says that a run was there and is not any more.
pub(super) fn forgotten_key(run: &str) -> String {
    format!("forgotten/{run}")
}

impl Pipeline {
    /// The runs that ended `before` and that nobody needs; without a time those alone with which
    /// an earlier collection began.
    pub(super) async fn old_runs(&self, before: Option<u64>) -> anyhow::Result<Old> {
        let records = self.store.records.as_ref();
        let mut old = Old::default();
        if let Some(before) = before {
            // In this order: who replays a message makes its run active before it takes the message
            // away, and so one of the two looks sees it.
            let replayable = self.replayable().await?;
            old.runs = self.ended(before).await?;
            self.leave_needed(&mut old.runs, replayable).await?;
        }
        walk(records, "forgetting/", |entry| {
            let run = entry.key.trim_start_matches("forgetting/");
            old.runs.insert(run.to_owned());
            Ok(())
        })
        .await?;
        let Old { runs, caused } = &mut old;
        if !runs.is_empty() {
            walk(records, "started/", |entry| {
                if let Kept::Started(started) = read(entry)?
                    && runs.contains(&started.run)
                {
                    caused.insert(started.run);
                }
                Ok(())
            })
            .await?;
        }
        Ok(old)
    }

    async fn ended(&self, before: u64) -> anyhow::Result<BTreeSet<String>> {
        let records = self.store.records.as_ref();
        let mut begun = Vec::new();
        walk(records, "runs/", |entry| {
            let run = entry.key.trim_start_matches("runs/");
            // A run can't have ended before it began.
            if made_at(run).is_ok_and(|made| made < before) {
                begun.push(run.to_owned());
            }
            Ok(())
        })
        .await?;
        let mut ended = BTreeSet::new();
        for run in begun {
            let state = match self.state(&run).await {
                Ok(state) => state,
                // Another collection has forgotten it meanwhile.
                Err(_) if records.get(&run_key(&run)).await?.is_none() => continue,
                Err(error) => return Err(error),
            };
            let mut last = 0;
            for commit in state.commits() {
                last = last.max(time(commit)?);
            }
            let active = records.get(&active_key(&run)).await?.is_some();
            if !active && state.status().is_final() && last < before {
                ended.insert(run);
            }
        }
        Ok(ended)
    }

    /// Takes those out of `runs` that somebody needs.
    async fn leave_needed(
        &self,
        runs: &mut BTreeSet<String>,
        replayable: BTreeSet<String>,
    ) -> anyhow::Result<()> {
        if runs.is_empty() {
            return Ok(());
        }
        let records = self.store.records.as_ref();
        let mut needed: Vec<String> = replayable.into_iter().collect();
        walk(records, "models/", |entry| {
            if let Kept::Event(event) = read(entry)? {
                needed.extend(event.who.strip_prefix("run ").map(str::to_owned));
            }
            Ok(())
        })
        .await?;
        let mut reused: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        walk(records, "commits/", |entry| {
            let Kept::Commit(commit) = read(entry)? else {
                return Ok(());
            };
            let (run, by) = (commit.invocation.run, commit.cached);
            match by.map(|by| by.run).filter(|by| runs.contains(by)) {
                Some(by) if runs.contains(&run) => {
                    reused.entry(run).or_default().insert(by);
                }
                Some(by) => needed.push(by),
                None => {}
            }
            Ok(())
        })
        .await?;
        // Who is needed needs those whose work it reused.
        while let Some(run) = needed.pop() {
            if runs.remove(&run) {
                needed.extend(reused.remove(&run).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The keys of a run's records and of the work that it entered, in the order in which they
    /// are deleted.
    pub(super) async fn records_of(&self, run: &str) -> anyhow::Result<Vec<String>> {
        let records = self.store.records.as_ref();
        let mut keys = Vec::new();
        if records.get(&run_key(run)).await?.is_some() {
            keys.push(run_key(run));
        }
        let mut commits = Vec::new();
        let mut works = Vec::new();
        walk(records, &format!("commits/{run}/"), |entry| {
            let commit: Commit = record::decode(&entry.key, &entry.value)?;
            works.push(commit.work);
            commits.push(entry.key.clone());
            Ok(())
        })
        .await?;
        for work in works {
            if ledger::entered_by(&self.store, &work, run).await? {
                keys.push(ledger::key_of(&work));
            }
        }
        for kind in ["published", "changes", "reopened"] {
            walk(records, &format!("{kind}/{run}/"), |entry| {
                keys.push(entry.key.clone());
                Ok(())
            })
            .await?;
        }
        keys.extend(commits);
        Ok(keys)
    }

    /// Forgets a run whose records have these keys.
    pub(super) async fn forget(
        &self,
        run: &str,
        caused: bool,
        keys: &[String],
    ) -> anyhow::Result<()> {
        let records = self.store.records.as_ref();
        records.create(&forgetting_key(run), b"{}").await?;
        if caused {
            records.create(&forgotten_key(run), b"{}").await?;
        }
        // Nothing asks for it any more; should something all the same, it is not to be found.
        let replays = keys.iter().filter(|key| key.starts_with("reopened/"));
        for epoch in 0..=replays.count() as u32 {
            self.store.queues.sweep(&group(run, epoch)).await?;
        }
        for key in keys {
            records.delete(key).await?;
        }
        self.let_go(run);
        records.delete(&forgetting_key(run)).await
    }
}

/// When a commit was made: milliseconds since 1970.
fn time(commit: &Commit) -> anyhow::Result<u64> {
    let damaged = || format!("the commit of {} has no time", commit.invocation);
    let time = humantime::parse_rfc3339(&commit.finished).with_context(damaged)?;
    let since = time.duration_since(std::time::UNIX_EPOCH);
    Ok(since.with_context(damaged)?.as_millis() as u64)
}
