//! A run is created, once for each cause.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinSet};
use tracing::{Instrument as _, field};
use uuid::Uuid;

use super::{
    forget::forgotten_key,
    plan, record,
    run::RunRequest,
    state::{RunState, active_key, run_key},
    trace::SPANS,
    view::Pipeline,
};
use crate::contract::{Digest, Stage};

/// How many blobs are touched at once.
const AT_ONCE: usize = 16;

/// The run that a cause has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Started {
    pub(super) run: String,
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
    /// A run that was there, until it was forgotten.
    Forgotten(String),
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
        Ok(match new {
            true => Keyed::New(run),
            false if self.is_forgotten(&run).await? => Keyed::Forgotten(run),
            false => Keyed::Same(run),
        })
    }

    /// What `start_keyed` has come to before, if it was called; none where there is no run yet.
    pub async fn started_keyed(&self, cause: &str, asked: Digest) -> anyhow::Result<Option<Keyed>> {
        let records = self.store.records.as_ref();
        let started: Option<Started> = record::get(records, &cause_key(cause)).await?;
        match started {
            Some(started) if started.asked != Some(asked) => Ok(Some(Keyed::Other)),
            Some(Started { run, .. }) if self.is_forgotten(&run).await? => {
                Ok(Some(Keyed::Forgotten(run)))
            }
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

    /// Whether there was a run that is forgotten.
    pub async fn is_forgotten(&self, run: &str) -> anyhow::Result<bool> {
        let forgotten = self.store.records.get(&forgotten_key(run)).await?;
        Ok(forgotten.is_some())
    }

    /// The run that a cause has begun, if it is there and not forgotten.
    pub async fn started(&self, cause: &str) -> anyhow::Result<Option<String>> {
        let records = self.store.records.as_ref();
        let started: Option<Started> = record::get(records, &cause_key(cause)).await?;
        match started {
            Some(Started { run, .. })
                if self.is_there(&run).await? && !self.is_forgotten(&run).await? =>
            {
                Ok(Some(run))
            }
            _ => Ok(None),
        }
    }

    /// A run that was forgotten was there: its cause does not begin it again.
    async fn is_there(&self, run: &str) -> anyhow::Result<bool> {
        let records = self.store.records.as_ref();
        for key in [run_key(run), forgotten_key(run)] {
            if records.get(&key).await?.is_some() {
                return Ok(true);
            }
        }
        let active: Option<RunRequest> = record::get(records, &active_key(run)).await?;
        if let Some(request) = &active {
            // Who creates it has not come to this yet, or was stopped before.
            record::create(records, &run_key(run), request).await?;
        }
        Ok(active.is_some())
    }

    async fn start_as(&self, run: &str, request: RunRequest) -> anyhow::Result<()> {
        // To complete a request that predicts is to put the model's own component in its place.
        let infer = request.components.get(&Stage::Infer).copied();
        let request = request.complete()?;
        let kind = request.kind.name();
        let span = tracing::info_span!(
            target: SPANS,
            "run",
            otel.name = format!("run {kind}"),
            otel.kind = "producer",
            otel.status_description = field::Empty,
            septet.run = run,
            septet.kind = kind,
            septet.model = request.name,
            septet.parts = request.sources.len() as u64,
        );
        self.traces.place(&span, request.place(run));
        let begun = self
            .begin_run(run, request, infer)
            .instrument(span.clone())
            .await;
        if let Err(error) = &begun {
            span.record("otel.status_description", format!("{error:#}"));
        }
        begun
    }

    async fn begin_run(
        &self,
        run: &str,
        mut request: RunRequest,
        infer: Option<Digest>,
    ) -> anyhow::Result<()> {
        self.pin_components(run, &mut request, infer).await?;
        self.pin(&mut request).await?;
        self.hold(&request).await?;
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

    /// Marks the run's data as used before anything names them: they may have been put into the
    /// store long ago, and so be about to be deleted.
    async fn hold(&self, request: &RunRequest) -> anyhow::Result<()> {
        let sources = request.sources.iter();
        let mut parts: BTreeMap<Digest, &str> = sources
            .map(|source| (source.artifact.digest, source.label.as_str()))
            .collect();
        let schema = request.declared.iter();
        parts.extend(schema.map(|schema| (schema.digest, "the declared schema")));
        let mut tasks = JoinSet::new();
        for digest in parts.keys().copied() {
            if tasks.len() >= AT_ONCE {
                held(tasks.join_next().await, &parts)?;
            }
            let blobs = Arc::clone(&self.store.blobs);
            tasks.spawn(async move { (digest, blobs.touch(&digest).await) });
        }
        while !tasks.is_empty() {
            held(tasks.join_next().await, &parts)?;
        }
        Ok(())
    }
}

/// A blob that was touched, and how that went.
type Touched = (Digest, anyhow::Result<Option<u64>>);

fn held(
    task: Option<Result<Touched, JoinError>>,
    parts: &BTreeMap<Digest, &str>,
) -> anyhow::Result<()> {
    let Some(task) = task else { return Ok(()) };
    let (digest, touched) = task?;
    let label = parts.get(&digest).copied().unwrap_or_default();
    ensure!(
        touched?.is_some(),
        "{label}: its bytes ({digest}) are not in the store any more: put them in again"
    );
    Ok(())
}

/// A cause may be any text.
fn cause_key(cause: &str) -> String {
    format!("started/{}", Digest::of(cause.as_bytes()))
}
