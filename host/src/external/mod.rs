//! External stages: an existing command, HTTP function or queue in a stage's place.
//!
//! What they are given is the invocation of `wit/` as JSON, and what they give back is its outcome. They are
//! **not sandboxed**: what they may touch is what their process may. They are for moving a script into
//! components one stage at a time, with every step runnable and reversible.
//!
//! # Layout
//! - `definition`: what stands in the settings, and the digest that stands for it where a component's does.
//! - `document`: invocation and outcome as JSON; what comes back is read as anybody's.
//! - `call`: one call: what it is given, and what its answer becomes.
//! - `folder`, `process`, `command`: a command in a fresh folder, killed with all it began.
//! - `door`: where artifacts are fetched and put by those outside; `http`, `queue`: who is asked there.
//!
//! This module must not know triggers, runs or the ledger, and must never run what only the store says:
//! a process runs the external stages of its own settings and no other.

mod call;
mod command;
mod definition;
mod document;
mod door;
mod folder;
mod http;
mod process;
mod queue;

pub use call::NOT_SANDBOXED;
pub use definition::{External, Externals, File, Headers, Way};
pub use door::Doorway;

pub(crate) use call::{Around, ONNX};
pub(crate) use definition::BEGINS;
