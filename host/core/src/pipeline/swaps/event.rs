//! The entries of the log: what happened to the stages.

use serde::{Deserialize, Serialize};

use super::percent::Percent;
use crate::{
    contract::{Digest, Stage},
    pipeline::chain::{Chain, Link},
};

/// One entry of the log.
pub type Entry = Link<Event>;

/// What happened to a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Another component is in force.
    Swapped(Swap),
    /// A component is given a share of the calls.
    Canary(Trial),
    /// A component is given copies of a share of the calls, and its answers count for nothing.
    Shadow(Trial),
    /// What was tried is in force.
    Promoted(Promotion),
    /// What was in force before is again.
    RolledBack(Reversal),
    /// What was tried is tried no more.
    Withdrawn(Withdrawal),
}

/// A component that was found fit for its stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admitted {
    /// Its address.
    pub component: Digest,
    /// Bytes.
    pub size: u64,
    /// The text of its `.minisig`: every process checks it by its own keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The number of the key that it was signed with, where one was trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What was tried and what differs, a JSON object.
    pub report: String,
    /// What it is, where no one has swapped it in but the settings wish for it as a shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wished: Option<Wished>,
}

/// What settings may wish for as a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wished {
    /// The component that a program has built in.
    BuiltIn,
    /// A stage of the settings that is no component: its digest is that of its definition.
    External,
}

/// Another component is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// Which stage.
    pub stage: Stage,
    /// Which component; none for the built-in one of whoever runs it.
    pub component: Option<Admitted>,
}

/// A component is tried on a share of the calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Which stage.
    pub stage: Stage,
    /// Which component.
    pub component: Admitted,
    /// How many of the calls.
    pub percent: Percent,
}

/// What was tried is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// Which stage.
    pub stage: Stage,
    /// What was tried.
    pub component: Digest,
    /// Why.
    pub reason: String,
}

/// What was in force before is again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reversal {
    /// Which stage.
    pub stage: Stage,
    /// What was in force; none for the built-in component.
    pub from: Option<Digest>,
    /// What is.
    pub to: Option<Digest>,
    /// Why.
    pub reason: String,
}

/// How a component is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmKind {
    /// It answers a share of the calls.
    Canary,
    /// It is given copies of a share of them.
    Shadow,
}

impl ArmKind {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Shadow => "shadow",
        }
    }
}

/// What was tried is tried no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// Which stage.
    pub stage: Stage,
    /// How it was tried.
    pub arm: ArmKind,
    /// What was tried.
    pub component: Digest,
    /// The entry that began it.
    pub revision: u64,
    /// Why.
    pub reason: String,
}

impl Event {
    /// The stage that it happened to.
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Swapped(swap) => swap.stage,
            Self::Canary(trial) | Self::Shadow(trial) => trial.stage,
            Self::Promoted(promotion) => promotion.stage,
            Self::RolledBack(reversal) => reversal.stage,
            Self::Withdrawn(withdrawal) => withdrawal.stage,
        }
    }

    /// The component that it brought in, if any.
    pub const fn admitted(&self) -> Option<&Admitted> {
        match self {
            Self::Swapped(swap) => swap.component.as_ref(),
            Self::Canary(trial) | Self::Shadow(trial) => Some(&trial.component),
            Self::Promoted(_) | Self::RolledBack(_) | Self::Withdrawn(_) => None,
        }
    }
}

/// The one log of all stages.
pub(super) fn chain() -> Chain {
    let name = "the log of the stages".to_owned();
    Chain::new(name, "stages/".to_owned(), 8)
}
