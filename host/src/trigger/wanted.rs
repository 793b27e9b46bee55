//! What a trigger asks for, in the words of the command line.
//!
//! A trigger knows when, and on what data; how flags and settings become a run's parameters is
//! known where they are read. The two meet in `Requests`.

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{
    contract::Artifact,
    pipeline::{RunKind, RunRequest},
};

/// One part of the data.
#[derive(Clone, Debug)]
pub enum Part {
    /// A file, a folder or a pattern, read into the store when the run is created.
    Path(PathBuf),
    /// Bytes that are in the store already.
    Stored {
        /// As a user named it; its ending may say what format it has.
        label: String,
        /// Named `source`.
        artifact: Artifact,
    },
}

/// A run that a trigger wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is for.
    pub kind: RunKind,
    /// Train: the model's name, if it is not to be the settings' or the first part's. Otherwise
    /// the model, as `penguins`, `penguins@3` or `penguins@champion`.
    pub model: Option<String>,
    /// Its data, in order.
    pub data: Vec<Part>,
    /// The flags of `septet run`, `predict` or `monitor` by their long names, with `_` for `-`;
    /// what is not said is as septet.toml has it.
    pub options: Map<String, Value>,
    /// The span that asks for it, as a `traceparent` names it, or its trace alone, 32 hexadecimal
    /// digits.
    pub trace: Option<String>,
}

/// Makes the request of a run from what is wanted.
#[async_trait]
pub trait Requests: Send + Sync {
    /// The request. An error is whoever's who wanted it, and names what is wrong.
    async fn request(&self, wanted: Wanted) -> anyhow::Result<RunRequest>;
}
