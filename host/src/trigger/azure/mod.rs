//! Invocations by the Azure Functions host, whose custom handler this process is.
//!
//! # Layout
//! - `functions`, `route`: the app's own files: which functions there are and what begins them.
//! - `server`: the port, the requests and their bounds.
//! - `invocation`: one invocation from request to answer. Here tracing begins and ends.
//! - `payload`, `answer`, `logs`: what the Functions host sends, what it is told, and the log lines
//!   that it shows with an invocation.
//! - `event`, `arrival`: a blob that was written becomes a run.
//! - `rows`: requests over HTTP that arrive wrapped.
//! - `opened`: store and stages, opened when the first invocation needs them.
//!
//! All delivery is at least once and a process may be killed at any time: nothing is kept here that
//! the store does not have. This module must not know what a stage does.

mod answer;
mod arrival;
mod event;
mod functions;
mod invocation;
mod logs;
mod opened;
mod payload;
mod route;
mod rows;
mod server;

pub use arrival::ContainerRule;
pub use functions::App;
pub use logs::Collector;
pub use opened::{Open, Opened};
pub use server::{Handler, bind};
