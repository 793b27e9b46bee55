//! The steps of a swap, by name, and a refusal at one of them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::contract::{Digest, Stage};

/// A step of a swap. They come in this order, and a refusal at one ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Whether it is small enough to be looked at.
    Size,
    /// Whether the stage is pinned to another one.
    Pin,
    /// Whether it is signed as this process asks.
    Signature,
    /// Whether it can be made into native code, within bounds.
    Compile,
    /// Whether it exports what the stage's world says.
    World,
    /// Whether it imports what the stage is granted and no more.
    Grants,
    /// Whether it does calls that are known.
    Golden,
    /// Whether its answers are the same, where that is asked for.
    Answers,
    /// Whether it could be put into the store and be entered in the log.
    Store,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 9] = [
        Self::Size,
        Self::Pin,
        Self::Signature,
        Self::Compile,
        Self::World,
        Self::Grants,
        Self::Golden,
        Self::Answers,
        Self::Store,
    ];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Pin => "pin",
            Self::Signature => "signature",
            Self::Compile => "compile",
            Self::World => "world",
            Self::Grants => "grants",
            Self::Golden => "golden",
            Self::Answers => "answers",
            Self::Store => "store",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A swap that was refused; what was in force still is.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    /// Which stage.
    pub stage: Stage,
    /// What was offered; none where it was too large to be looked at.
    pub component: Option<Digest>,
    /// Where it ended.
    pub step: Step,
    /// Why; one line.
    pub reason: String,
    /// Whether it was the machine's or the store's fault, so that the same component may be taken
    /// another time.
    pub fault: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            step,
            reason,
            ..
        } = self;
        write!(
            f,
            "{stage} stays as it is: refused at step {step}: {reason}"
        )
    }
}

impl std::error::Error for Refused {}

/// Why a step refuses.
#[derive(Debug)]
pub(super) enum Why {
    /// For what the component is or does.
    Component(String),
    /// For what the machine or the store lacks.
    Host(anyhow::Error),
}

impl From<anyhow::Error> for Why {
    fn from(error: anyhow::Error) -> Self {
        Self::Host(error)
    }
}
