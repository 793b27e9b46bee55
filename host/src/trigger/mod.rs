//! What becomes an invocation.
//!
//! # Layout
//! - `once`: a command that waits for its run.
//! - `queue`, `memory`: works off the queues until it is told to stop, as memory allows.
//! - `stop`: how a server is told to stop.
//! - `wanted`: what a trigger asks for, and who makes a run of it.
//!
//! A trigger knows the pipeline and the stages and joins them. It must not know what a stage does.

mod memory;
mod once;
mod queue;
mod stop;
mod wanted;

pub use once::{Once, Stages};
pub use queue::{Concurrency, QueueTrigger};
pub use stop::Stop;
pub use wanted::{Part, Requests, Wanted};
