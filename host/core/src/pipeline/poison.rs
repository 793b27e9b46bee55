//! What came to nothing: set aside with the reason, and put back to work on request.
//!
//! A final failure is a commit like any other and stays. To replay it is to ask for the next
//! `replay` of the same unit, whose commit then counts in its place. The record in `reopened/` is
//! created if there is none, so that one of several replays has decided and the others join it.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::{
    commit::{Commit, Ending},
    envelope::{decode, encode},
    invocation::Invocation,
    plan, record,
    state::active_key,
    view::Pipeline,
};
use crate::{
    contract::{Blame, Claim, Digest, Stage},
    store::{Message, Received, Store},
};

const KIND: &str = "septet.poison";

/// The longest reason that goes into a message, in characters.
const MAX_REASON: usize = 4000;

/// How much of a foreign message is kept, in bytes.
const MAX_KEPT: usize = 1024;

/// A message in a poison queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poisoned {
    /// What it asked for; none where it was no message of ours.
    pub invocation: Option<Invocation>,
    /// Why it came to nothing.
    pub reason: String,
    /// Whose fault it was; none where the input was at fault.
    pub blame: Option<Blame>,
    /// The last attempt's number.
    pub attempt: u32,
    /// RFC 3339, UTC.
    pub when: String,
    /// The beginning of a message that was none of ours.
    #[serde(with = "hex::serde")]
    pub body: Vec<u8>,
    /// Where all of it is, when that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// What became of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The run goes on with this.
    Reopened(Invocation),
    /// It had been replayed already: the message was out of date and is gone.
    OutOfDate(Invocation),
}

/// Puts bytes that are too large for a message into a blob.
pub(super) async fn claim(store: &Store, bytes: &[u8]) -> anyhow::Result<Claim> {
    let digest = store.blobs.put(bytes).await?;
    let size = bytes.len() as u64;
    Ok(Claim { digest, size })
}

/// The queue beside a stage's own.
pub(super) fn poison_queue(stage: Stage) -> String {
    format!("{stage}-poison")
}

/// What a message of a poison queue once asked for; none where it is none of ours.
pub(super) fn invocation_of(body: &[u8]) -> Option<Invocation> {
    let poisoned: Poisoned = decode(body, KIND).ok()?;
    poisoned.invocation
}

impl Pipeline {
    /// Sets a final failure aside.
    pub(super) async fn poison(&self, commit: &Commit) -> anyhow::Result<()> {
        let (reason, blame) = match &commit.ending {
            Ending::Ok(_) | Ending::Cancelled { .. } => return Ok(()),
            Ending::Rejected { reason } => (reason, None),
            Ending::Failed { reason, blame } => (reason, Some(*blame)),
        };
        let poisoned = Poisoned {
            invocation: Some(commit.invocation.clone()),
            reason: reason.chars().take(MAX_REASON).collect(),
            blame,
            attempt: commit.attempt,
            when: commit.finished.clone(),
            body: Vec::new(),
            claim: None,
        };
        let id = commit.invocation.message_id("poison");
        let message = encode(&id, KIND, &commit.finished, None, &poisoned)?;
        let queue = poison_queue(commit.invocation.stage);
        let queues = &self.store.queues;
        queues.send(&queue, &message, Duration::ZERO).await
    }

    /// Sets aside a message that is none of ours.
    pub async fn refuse(&self, received: &Received, reason: &str) -> anyhow::Result<()> {
        let body = &received.message.body;
        let now = self.clock.timestamp();
        let poisoned = Poisoned {
            invocation: None,
            reason: reason.chars().take(MAX_REASON).collect(),
            blame: None,
            attempt: received.dequeue_count,
            when: now.clone(),
            body: body.iter().take(MAX_KEPT).copied().collect(),
            claim: if body.len() > MAX_KEPT {
                Some(claim(&self.store, body).await?)
            } else {
                None
            },
        };
        let id = Digest::of(body).to_string();
        let message = encode(&id, KIND, &now, None, &poisoned)?;
        let queue = format!("{}-poison", received.queue);
        let queues = &self.store.queues;
        queues.send(&queue, &message, Duration::ZERO).await
    }

    /// The oldest messages of a stage's poison queue, with their ids.
    pub async fn poisoned(
        &self,
        stage: Stage,
        limit: usize,
    ) -> anyhow::Result<Vec<(String, Poisoned)>> {
        let queues = &self.store.queues;
        let messages = queues.peek(&poison_queue(stage), limit).await?;
        let read = messages.into_iter().map(|Message { id, body, .. }| {
            let poisoned = decode(&body, KIND).unwrap_or_else(|error| Poisoned {
                invocation: None,
                reason: format!("{error:#}"),
                blame: None,
                attempt: 0,
                when: String::new(),
                body: body.into_iter().take(MAX_KEPT).collect(),
                claim: None,
            });
            (id, poisoned)
        });
        Ok(read.collect())
    }

    /// Puts a message of a stage's poison queue back to work.
    pub async fn replay(&self, stage: Stage, id: &str) -> anyhow::Result<Replayed> {
        let all = self.poisoned(stage, usize::MAX).await?;
        let found = all.into_iter().find(|(there, _)| there == id);
        let queue = poison_queue(stage);
        let (_, poisoned) = found.with_context(|| format!("{queue} has no message {id}"))?;
        let Some(failed) = poisoned.invocation else {
            bail!("message {id} was never one of septet's: it can only be removed");
        };
        let run = self.state(&failed.run).await?;
        let next = Invocation {
            replay: failed.replay.saturating_add(1),
            ..failed.clone()
        };
        let current = run.invocation(failed.stage, failed.unit);
        let commit = run.commit(failed.stage, failed.unit);
        let reopened = current == next && commit.is_none();
        let answer = if current == failed && commit.is_some_and(|c| c.outcome().is_none()) {
            let key = next.key("reopened");
            record::create(self.store.records.as_ref(), &key, &next).await?;
            Replayed::Reopened(next)
        } else if reopened {
            // Another replay decided it, and may have been stopped before it had sent anything.
            Replayed::Reopened(next)
        } else {
            Replayed::OutOfDate(current)
        };
        if let Replayed::Reopened(_) = answer {
            let run = self.state(&failed.run).await?;
            let records = self.store.records.as_ref();
            record::create(records, &active_key(&failed.run), run.request.as_ref()).await?;
            // Other units of the run may have been given up when it failed.
            for due in plan::plan(&run).due {
                self.ask(&run, &due).await?;
            }
        }
        self.store.queues.remove(&queue, id).await?;
        Ok(answer)
    }

    /// Takes a message out of a stage's poison queue for good; false where there is none.
    pub async fn discard(&self, stage: Stage, id: &str) -> anyhow::Result<bool> {
        self.store.queues.remove(&poison_queue(stage), id).await
    }
}
