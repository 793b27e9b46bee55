//! A run is created, once for each cause.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    plan, record,
    run::RunRequest,
    state::{RunState, active_key, run_key},
    view::Pipeline,
};
use crate::contract::Digest;

/// The run that a cause has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Started {
    run: String,
    /// What was asked for, where the cause alone does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Digest>,
}

/// What a cause came to that a client has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keyed {
    /// A run, created now.
    New(String),
    /// A run that was there.
    Same(String),
    /// Nothing: the same cause was named for something else.
    Other,
}

impl Pipeline {
    /// Creates a run and asks for its first invocations; gives its identifier.
    pub async fn start(&self, request: RunRequest) -> anyhow::Result<String> {
        let run = Uuid::now_v7().to_string();
        self.start_as(&run, request).await?;
        Ok(run)
    }

    /// Creates the run that `cause` stands for, or finds it: the tick of a timer, a file with its
    /// digest, the key of a client that tries again. However often and by however many processes
    /// it is asked, there is one run. Gives its identifier, and whether it was created now.
    pub async fn start_once(
        &self,
        cause: &str,
        request: RunRequest,
    ) -> anyhow::Result<(String, bool)> {
        let started = self.begin(cause, None).await?;
        self.go_on(started.run, request).await
    }

    /// As `start_once`, for a cause whose name a client has chosen: `asked` is the digest of what
    /// it is to stand for, and stays so.
    pub async fn start_keyed(
        &self,
        cause: &str,
        asked: Digest,
        request: RunRequest,
    ) -> anyhow::Result<Keyed> {
        let started = self.begin(cause, Some(asked)).await?;
        if started.asked != Some(asked) {
            return Ok(Keyed::Other);
        }
        let (run, new) = self.go_on(started.run, request).await?;
        Ok(if new {
            Keyed::New(run)
        } else {
            Keyed::Same(run)
        })
    }

    /// What `start_keyed` has come to before, if it was called; none where there is no run yet.
    pub async fn started_keyed(&self, cause: &str, asked: Digest) -> anyhow::Result<Option<Keyed>> {
        let records = self.store.records.as_ref();
        let started: Option<Started> = record::get(records, &cause_key(cause)).await?;
        match started {
            Some(started) if started.asked != Some(asked) => Ok(Some(Keyed::Other)),
            Some(Started { run, .. }) if self.is_there(&run).await? => Ok(Some(Keyed::Same(run))),
            _ => Ok(None),
        }
    }

    /// Writes a cause down, or finds it.
    async fn begin(&self, cause: &str, asked: Option<Digest>) -> anyhow::Result<Started> {
        let records = self.store.records.as_ref();
        let own = Started {
            run: Uuid::now_v7().to_string(),
            asked,
        };
        let there = record::create(records, &cause_key(cause), &own).await?;
        Ok(there.unwrap_or(own))
    }

    /// Creates the run of a cause that is written down: who did that may have been stopped before
    /// the run was there.
    async fn go_on(&self, run: String, request: RunRequest) -> anyhow::Result<(String, bool)> {
        if self.is_there(&run).await? {
            return Ok((run, false));
        }
        self.start_as(&run, request).await?;
        Ok((run, true))
    }

    /// The run that a cause has begun, if it is there.
    pub async fn started(&self, cause: &str) -> anyhow::Result<Option<String>> {
        let records = self.store.records.as_ref();
        let started: Option<Started> = record::get(records, &cause_key(cause)).await?;
        match started {
            Some(Started { run, .. }) if self.is_there(&run).await? => Ok(Some(run)),
            _ => Ok(None),
        }
    }

    async fn is_there(&self, run: &str) -> anyhow::Result<bool> {
        let records = self.store.records.as_ref();
        Ok(records.get(&run_key(run)).await?.is_some()
            || records.get(&active_key(run)).await?.is_some())
    }

    async fn start_as(&self, run: &str, request: RunRequest) -> anyhow::Result<()> {
        let mut request = request.complete()?;
        self.pin(&mut request).await?;
        let records = self.store.records.as_ref();
        // The active record comes first and holds the whole request: after a crash behind it the
        // recoverer does the rest, and after one before it there is no run.
        let first = record::create(records, &active_key(run), &request).await?;
        let request = first.unwrap_or(request);
        record::create(records, &run_key(run), &request).await?;
        let state = RunState::new(run.to_owned(), Arc::new(request));
        for first in plan::plan(&state).due {
            self.ask(&state, &first).await?;
        }
        Ok(())
    }
}

/// A cause may be any text.
fn cause_key(cause: &str) -> String {
    format!("started/{}", Digest::of(cause.as_bytes()))
}
