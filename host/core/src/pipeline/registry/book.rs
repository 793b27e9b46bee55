//! Reads the logs and appends to them. To create the next entry is the compare-and-swap: who
//! comes second reads again and decides again.

use std::sync::Arc;

use anyhow::{bail, ensure};

use super::{
    event::{Acceptance, Entry, Event, Move, Registration, chain},
    name::{ModelRef, Selector, check_alias, check_model, nearest},
    state::{Before, ModelState, Version},
};
use crate::{
    contract::{Artifact, Digest},
    pipeline::chain::Head,
    store::{Clock, Records},
};

/// How often a change is tried against others that are faster.
const PATIENCE: usize = 100;

/// What became of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The alias points at the version now.
    Moved {
        /// How many times the alias has been moved.
        revision: u64,
    },
    /// It did already, or was moved for this cause before.
    Already,
    /// It points elsewhere than was expected; it stays.
    Stale {
        /// The version's number; none where the alias is not set.
        current: Option<u32>,
    },
    /// The version was rolled back: only a person puts it there again.
    Barred,
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The bundle is the version with this number.
    Version(u32),
    /// Another run has built on the same split meanwhile: it is no version.
    Raced,
}

/// The registry of models.
#[derive(Clone)]
pub struct Registry {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
}

/// The longest reason of a person, in characters.
const MAX_REASON: usize = 1000;

/// A change that a decision came to, or what there is instead.
enum Decision<T> {
    Append(Event, T),
    Leave(T),
}

impl Registry {
    /// The registry in these records.
    pub fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock }
    }

    /// The names of all models, in order.
    pub async fn models(&self) -> anyhow::Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        loop {
            // Behind the whole log of the last one: `~` sorts behind every letter.
            let after = names.last().map(|name| format!("models/{name}/~"));
            let next = self.records.list("models/", after.as_deref(), 1).await?;
            let Some(entry) = next.first() else {
                // `a-b` sorts between `a` and `a/` in a store, but not in a list of names.
                names.sort_unstable();
                return Ok(names);
            };
            let name = entry.key.split('/').nth(1).unwrap_or_default();
            names.push(name.to_owned());
        }
    }

    /// The model's log, its chain checked; empty where there is no such model.
    pub async fn log(&self, model: &str) -> anyhow::Result<Vec<Entry>> {
        Ok(self.read(model).await?.0)
    }

    /// The model as it is; without versions where there is no such model.
    pub async fn state(&self, model: &str) -> anyhow::Result<ModelState> {
        let (log, head) = self.read(model).await?;
        ModelState::fold(model, &log, head)
    }

    /// The model as it is; where there is none, the error names the nearest.
    pub async fn existing(&self, model: &str) -> anyhow::Result<ModelState> {
        let state = self.state(model).await?;
        if state.entries > 0 {
            return Ok(state);
        }
        let models = self.models().await?;
        match nearest(model, models.iter().map(String::as_str)) {
            Some(near) => bail!("there is no model '{model}': is it '{near}'?"),
            None if models.is_empty() => {
                bail!("there is no model '{model}': no run has made one yet")
            }
            None => bail!(
                "there is no model '{model}': there is {}",
                models.join(", ")
            ),
        }
    }

    /// The version that a user means.
    pub async fn resolve(&self, model: &ModelRef) -> anyhow::Result<Version> {
        let state = self.existing(&model.name).await?;
        state.find(&model.selector).cloned()
    }

    /// Makes a bundle a version; `version.number` does not count. The same bundle is the same
    /// version. `given` is the split that the run began with.
    pub async fn register(
        &self,
        model: &str,
        version: Registration,
        given: Option<&Digest>,
    ) -> anyhow::Result<Registered> {
        let who = format!("run {}", version.run);
        self.change(model, &who, |state| {
            if !state.takes_split(given, &version) && state.version_of(&version.bundle).is_none() {
                return Ok(Decision::Leave(Registered::Raced));
            }
            Ok(added(state, &version, Registered::Version))
        })
        .await
    }

    /// Makes a bundle a version that no run made, and gives its number; else as `register`. What the
    /// model's rows are split by stays what it was.
    pub async fn import(
        &self,
        model: &str,
        version: Registration,
        who: &str,
    ) -> anyhow::Result<u32> {
        self.change(model, who, |state| {
            Ok(added(state, &version, |number| number))
        })
        .await
    }

    /// Points an alias at a version if it points at `expected` now.
    pub async fn move_alias(
        &self,
        model: &str,
        expected: Option<&Digest>,
        wanted: &Wanted<'_>,
    ) -> anyhow::Result<Moved> {
        let Wanted { alias, to, .. } = *wanted;
        check_alias(alias)?;
        self.change(model, wanted.who, |state| {
            state.find(&Selector::Version(to))?;
            let before = state.before(alias);
            let current = state
                .pointed_at(alias)
                .map(|version| &version.pinned.bundle);
            let caused = wanted.cause.is_some_and(|cause| state.has_cause(cause));
            Ok(if caused || before.version == Some(to) {
                Decision::Leave(Moved::Already)
            } else if !wanted.forced && state.is_barred(alias, to) {
                Decision::Leave(Moved::Barred)
            } else if current != expected {
                let current = before.version;
                Decision::Leave(Moved::Stale { current })
            } else {
                let event = wanted.event(state, false);
                let revision = before.revision + 1;
                Decision::Append(event, Moved::Moved { revision })
            })
        })
        .await
    }

    /// Points an alias at a version, whatever it points at.
    pub async fn promote(
        &self,
        model: &str,
        alias: &str,
        version: u32,
        who: &str,
        reason: &str,
    ) -> anyhow::Result<Moved> {
        check_alias(alias)?;
        let state = self.existing(model).await?;
        state.find(&Selector::Version(version))?;
        let reason = clipped(reason);
        let wanted = Wanted::by_hand(alias, version, &reason, who);
        self.change(model, who, |state| {
            let before = state.before(alias);
            if before.version == Some(version) {
                return Ok(Decision::Leave(Moved::Already));
            }
            let revision = before.revision + 1;
            let event = wanted.event(state, false);
            Ok(Decision::Append(event, Moved::Moved { revision }))
        })
        .await
    }

    /// Puts an alias back to the version before its last move, and gives that. Once more goes one
    /// farther back, never forth to what was just rolled back.
    pub async fn rollback(
        &self,
        model: &str,
        alias: &str,
        who: &str,
        reason: &str,
    ) -> anyhow::Result<u32> {
        let seen = self.existing(model).await?.before(alias);
        self.rollback_from(model, alias, seen, who, reason).await
    }

    /// As `rollback`, but only where the alias is still as it was `seen`.
    pub async fn rollback_from(
        &self,
        model: &str,
        alias: &str,
        seen: Before,
        who: &str,
        reason: &str,
    ) -> anyhow::Result<u32> {
        let reason = clipped(reason);
        self.change(model, who, |state| {
            let to = state.rollback_target(alias)?;
            // What the user saw and wants to leave; not what another has just set.
            ensure!(
                state.before(alias) == seen,
                "the {alias} of model '{model}' was moved just now: look at it again"
            );
            let wanted = Wanted::by_hand(alias, to, &reason, who);
            Ok(Decision::Append(wanted.event(state, true), to))
        })
        .await
    }

    /// Holds the model's parts to another schema from now on; false where it is held to it already.
    pub async fn accept_schema(
        &self,
        model: &str,
        schema: &Artifact,
        who: &str,
        reason: &str,
    ) -> anyhow::Result<bool> {
        self.existing(model).await?;
        let reason = clipped(reason);
        self.change(model, who, |state| {
            let there = state.schema().map(|there| there.digest);
            if there == Some(schema.digest) {
                return Ok(Decision::Leave(false));
            }
            let event = Event::Schema(Acceptance {
                schema: schema.clone(),
                reason: reason.clone(),
            });
            Ok(Decision::Append(event, true))
        })
        .await
    }

    async fn read(&self, model: &str) -> anyhow::Result<(Vec<Entry>, Head)> {
        check_model(model)?;
        let records = self.records.as_ref();
        chain(model).read(records, Head::default()).await
    }

    /// Appends what `decide` comes to, deciding again whenever another was faster.
    async fn change<T: Send>(
        &self,
        model: &str,
        who: &str,
        decide: impl Fn(&ModelState) -> anyhow::Result<Decision<T>> + Send + Sync,
    ) -> anyhow::Result<T> {
        for _ in 0..PATIENCE {
            let state = self.state(model).await?;
            let (event, answer) = match decide(&state)? {
                Decision::Leave(answer) => return Ok(answer),
                Decision::Append(event, answer) => (event, answer),
            };
            let entry = (self.clock.timestamp(), who, event);
            let records = self.records.as_ref();
            let appended = chain(model).append(records, state.head, entry).await?;
            if appended.is_some() {
                return Ok(answer);
            }
        }
        bail!("the log of model '{model}' is changed by others all the time: try again later")
    }
}

/// A person's reason: one entry of the log must stay small, whatever was typed.
fn clipped(reason: &str) -> String {
    reason.chars().take(MAX_REASON).collect()
}

/// A move that somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Which alias.
    pub alias: &'a str,
    /// The version's number.
    pub to: u32,
    /// For the log.
    pub reason: &'a str,
    /// The evaluation on which the gate decided.
    pub gate: Option<Digest>,
    /// A run, or a person.
    pub who: &'a str,
    /// The invocation: a second move for the same cause is the same move.
    pub cause: Option<&'a str>,
    /// Whether a person said so: then a version that was rolled back returns too.
    pub forced: bool,
}

impl<'a> Wanted<'a> {
    const fn by_hand(alias: &'a str, to: u32, reason: &'a str, who: &'a str) -> Self {
        Self {
            alias,
            to,
            reason,
            gate: None,
            who,
            cause: None,
            forced: true,
        }
    }

    fn event(&self, state: &ModelState, rollback: bool) -> Event {
        let before = state.before(self.alias);
        Event::Alias(Move {
            alias: self.alias.to_owned(),
            from: before.version,
            to: self.to,
            revision: before.revision + 1,
            reason: self.reason.to_owned(),
            gate: self.gate,
            cause: self.cause.map(str::to_owned),
            rollback,
        })
    }
}

/// The entry by which a bundle becomes a version; none where it is one already.
fn added<T>(state: &ModelState, version: &Registration, told: impl Fn(u32) -> T) -> Decision<T> {
    if let Some(there) = state.version_of(&version.bundle) {
        return Decision::Leave(told(there.pinned.number));
    }
    let number = state.versions.len() as u32 + 1;
    let event = Event::Register(Box::new(Registration {
        number,
        ..version.clone()
    }));
    Decision::Append(event, told(number))
}
