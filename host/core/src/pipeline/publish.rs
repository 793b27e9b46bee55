//! What follows from a commit: done from its record alone, and such that doing it twice is doing
//! it once.

use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{
    commit::{Commit, Ending},
    envelope::{Asked, encode_own},
    invocation::Invocation,
    ledger, plan, record,
    registry::{Moved, Registered, Registration, Wanted},
    run::RunRequest,
    state::RunState,
    trace::run_span,
    view::Pipeline,
};
use crate::{
    contract::{AliasChange, Proposal, Stage},
    failpoint,
};

/// What a commit's proposals did to the registry. Recorded once: what follows depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Whose proposals they were.
    pub invocation: Invocation,
    /// The model.
    pub model: String,
    /// The version that the bundle is; 0 where it was refused.
    pub version: u32,
    /// The alias that was to be moved to it, and what became of that.
    pub alias: Option<(String, AliasResult)>,
    /// Why the bundle is no version, where it is none: the run is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What became of a move of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AliasResult {
    /// It points at the version.
    Set,
    /// It had been moved elsewhere meanwhile, and stayed there.
    Lost {
        /// The version it points at instead; none where it is not set.
        current: Option<u32>,
    },
    /// The version was rolled back before: only a person puts it there again.
    Barred,
}

impl Change {
    /// Whether the alias had been moved meanwhile.
    pub const fn is_lost(&self) -> bool {
        matches!(self.alias, Some((_, AliasResult::Lost { .. })))
    }
}

impl Pipeline {
    /// Publishes a commit, and gives what follows time to begin: the next invocations are sent,
    /// or the run is ended.
    pub(super) async fn publish(&self, commit: &Commit) -> anyhow::Result<()> {
        self.publish_one(commit).await?;
        if self.waits_for_others(commit).await? {
            return Ok(());
        }
        self.end_if_done(&commit.invocation.run).await
    }

    /// Publishes a commit, and does not ask whether its run has ended with it.
    pub(super) async fn publish_one(&self, commit: &Commit) -> anyhow::Result<()> {
        let records = self.store.records.as_ref();
        let invocation = &commit.invocation;
        let published = invocation.key("published");
        if records.get(&published).await?.is_none() {
            match &commit.ending {
                Ending::Ok(_) => self.publish_outcome(commit).await?,
                Ending::Cancelled { .. } => {}
                Ending::Rejected { .. } | Ending::Failed { .. } => {
                    // Whoever replayed it has taken its message away.
                    let state = self.state(&invocation.run).await?;
                    if state.invocation(invocation.stage, invocation.unit) == *invocation {
                        self.poison(commit).await?;
                    }
                }
            }
            records.create(&published, b"{}").await?;
            failpoint::pass("published");
        }
        Ok(())
    }

    /// Whether a part of the dataset is not committed yet, so that nothing follows from this one.
    /// It looks at the next parts first, and so mostly at one only.
    async fn waits_for_others(&self, commit: &Commit) -> anyhow::Result<bool> {
        let Invocation { run, unit, .. } = &commit.invocation;
        if commit.invocation.stage != Stage::Ingest || commit.outcome().is_none() {
            return Ok(false);
        }
        let request = self.request(run).await?;
        let parts = request.map_or(0, |request| request.sources.len() as u32);
        for other in (unit + 1..parts).chain(0..*unit) {
            // Where the first of a part's commits is missing, so are all.
            let key = Invocation::new(run, Stage::Ingest, other).key("commits");
            if self.store.records.get(&key).await?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn publish_outcome(&self, commit: &Commit) -> anyhow::Result<()> {
        let invocation = &commit.invocation;
        for proposal in &commit.proposals {
            let state = self.state(&invocation.run).await?;
            self.publish_proposal(&state, commit, proposal).await?;
            failpoint::pass("registered");
        }
        if !commit.messages.is_empty() {
            self.publish_messages(commit).await?;
        }
        ledger::enter(&self.store, commit).await?;
        if self.waits_for_others(commit).await? {
            return Ok(());
        }
        // The registry's answer is now part of the run, and another unit may have committed
        // meanwhile: the last one to commit sees all of them.
        let state = self.state(&invocation.run).await?;
        let due = plan::plan(&state).due.into_iter();
        for next in due.filter(|next| next.stage != Stage::Ingest) {
            self.ask(&state, &next).await?;
            failpoint::pass("sent");
        }
        Ok(())
    }

    /// Sends the stage's own messages.
    async fn publish_messages(&self, commit: &Commit) -> anyhow::Result<()> {
        let invocation = &commit.invocation;
        let request = self.request(&invocation.run).await?;
        let request = request.with_context(|| format!("there is no run {}", invocation.run))?;
        let run = &invocation.run;
        let span = commit.span().unwrap_or_else(|| run_span(run));
        let parent = request.asked_from(run).at(span);
        for (index, own) in commit.messages.iter().enumerate() {
            let id = invocation.message_id(&format!("message/{index}"));
            let message = encode_own(&id, &commit.finished, parent, own)?;
            let queues = &self.store.queues;
            queues.send(&own.label, &message, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Registers the version and moves the alias; what became of it is recorded once.
    async fn publish_proposal(
        &self,
        state: &RunState,
        commit: &Commit,
        proposal: &Proposal,
    ) -> anyhow::Result<()> {
        let invocation = &commit.invocation;
        if state.change(invocation).is_some() {
            return Ok(());
        }
        let mut inputs = commit.inputs.iter();
        let bundle = inputs
            .find(|input| input.digest == proposal.bundle)
            .context("the proposed bundle is no input of the stage")?;
        let request = &state.request;
        let preprocess = state.commit(Stage::Preprocess, 0);
        let made = |name: &str| preprocess.and_then(|commit| commit.output(name)).cloned();
        let version = Registration {
            number: 0,
            bundle: proposal.bundle,
            bundle_size: bundle.size,
            infer: request.component(Stage::Infer)?,
            summary: proposal.summary.clone(),
            run: invocation.run.clone(),
            test: made("test").map(|test| test.digest),
            schema: made("schema"),
            split: made("split"),
            tests: request.parts().1.to_vec(),
        };
        let given = request.pinned.split.as_ref().map(|split| &split.digest);
        let model = &proposal.model;
        let registered = self.registry().register(model, version, given).await?;
        let mut change = Change {
            invocation: invocation.clone(),
            model: model.clone(),
            version: 0,
            alias: None,
            refused: None,
        };
        match registered {
            Registered::Version(version) => {
                change.version = version;
                if let Some(wanted) = &proposal.change {
                    let forced = request.is_promoted();
                    let moved = self.publish_move(commit, proposal, wanted, version, forced);
                    change.alias = Some(moved.await?);
                }
            }
            Registered::Raced => {
                change.refused = Some(format!(
                    "the split of model '{model}' was fixed by another run meanwhile: run again \
                     without --test and --split, or give the model another name"
                ));
            }
        }
        let records = self.store.records.as_ref();
        record::create(records, &invocation.key("changes"), &change).await?;
        Ok(())
    }

    async fn publish_move(
        &self,
        commit: &Commit,
        proposal: &Proposal,
        change: &AliasChange,
        version: u32,
        forced: bool,
    ) -> anyhow::Result<(String, AliasResult)> {
        let invocation = &commit.invocation;
        let evaluation = commit.inputs.iter().find(|i| i.name == "evaluation");
        let wanted = Wanted {
            alias: &change.alias,
            to: version,
            reason: &change.reason,
            gate: evaluation.map(|evaluation| evaluation.digest),
            who: &format!("run {}", invocation.run),
            cause: Some(&invocation.to_string()),
            forced,
        };
        let registry = self.registry();
        let moved = registry
            .move_alias(&proposal.model, change.expected.as_ref(), &wanted)
            .await?;
        let result = match moved {
            Moved::Moved { .. } | Moved::Already => AliasResult::Set,
            Moved::Stale { current } => AliasResult::Lost { current },
            Moved::Barred => AliasResult::Barred,
        };
        Ok((change.alias.clone(), result))
    }

    /// Asks for the first attempt of an invocation.
    pub(super) async fn ask(&self, state: &RunState, next: &Invocation) -> anyhow::Result<()> {
        let asked = Asked::first(next, state.epoch);
        // A part follows from nothing else of the run.
        let span = match next.stage {
            Stage::Ingest => run_span(&state.id),
            _ => state.cause(),
        };
        self.send(&asked, &state.request, span, Duration::ZERO)
            .await
    }

    /// Asks for an attempt after `delay`, from a span.
    pub(super) async fn send(
        &self,
        asked: &Asked,
        request: &RunRequest,
        span: u64,
        delay: Duration,
    ) -> anyhow::Result<()> {
        let parent = request.asked_from(&asked.run).at(span);
        let message = asked.message(&self.clock.timestamp(), Some(parent))?;
        let (queues, queue) = (&self.store.queues, asked.stage.name());
        queues.send(queue, &message, delay).await?;
        // Another may have done it since it was found to be due, and ended the run. Who commits
        // after this look finds the message in the queue or has it.
        let key = asked.invocation().key("commits");
        if self.store.records.get(&key).await?.is_some() {
            queues.remove(queue, &message.id).await?;
        }
        self.sent.send_modify(|count| *count += 1);
        Ok(())
    }
}
