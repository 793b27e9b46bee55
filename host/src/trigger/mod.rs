//! What becomes an invocation.
//!
//! # Layout
//! - `azure`: invocations by a Functions host.
//! - `folder`, `timer`: files that are dropped, and ticks of a clock.
//! - `follow`: what follows their runs: predictions as files, trainings after drift.
//! - `later`: what could not be done yet.
//! - `http`: requests over the network, to runs and to predictions at once.
//! - `media`: what a file's name says of what is in it.
//! - `once`: a command that waits for its run.
//! - `queue`, `memory`: works off the queues until it is told to stop, as memory allows.
//! - `stop`: how a server is told to stop.
//! - `wanted`: what a trigger asks for, and who makes a run of it.
//!
//! A trigger knows the pipeline and the stages and joins them. It must not know what a stage does.

pub mod azure;
mod folder;
mod follow;
pub mod http;
mod later;
mod memory;
mod once;
mod queue;
mod stop;
mod timer;
mod wanted;

pub use folder::{Folder, FolderRule};
pub use follow::{Output, Retrain};
pub use once::{Once, Stages};
pub use queue::{Concurrency, QueueTrigger};
pub use septet_core::media::{ending, media_type};
pub use stop::Stop;
pub use timer::{Schedule, Timer, TimerRule};
pub use wanted::{Part, Requests, Wanted};
