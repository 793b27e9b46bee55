//! What is seen of components that are tried: canaries, which answer a share of the calls, and shadows,
//! which are given copies of some and whose answers count for nothing.
//!
//! # Layout
//! - `latency`, `tally`: how long calls took, in buckets, and how they ended.
//! - `chance`, `verdict`: whether a canary is worse than what is in force, or only unlucky.
//! - `tolerance`, `comparison`: what counts as the same answer, and what two answers differ in.
//! - `streak`, `compared`: matches in a row; all that a shadow answered otherwise.
//! - `mirrors`: copies that are under way in this process.
//! - `promote`: a shadow comes into force when it has answered alike often enough.
//! - `own`, `book`: what this process has seen, and the records that all processes write of it.
//! - `call`: calls of the queue: what a canary's came to, and a shadow's copy of one.
//!
//! # Records
//! `canaries/<stage>/<entry>/<process>-<number>` and `shadows/…` alike: all that a process has seen
//! since the entry of the log began the trial. A newer one of the same process has a greater number and
//! holds what the one before held, which is then deleted: so there are as many records as processes,
//! nothing is counted twice, and no record ever changes. When the trial ends they are deleted.
//!
//! This module must not know what a component does or what a call is about.

mod book;
mod call;
mod chance;
mod compared;
mod comparison;
mod latency;
mod mirrors;
mod own;
mod promote;
mod streak;
mod tally;
mod tolerance;
mod verdict;

pub use book::Trials;
pub use compared::{Compared, Used};
pub use comparison::{Comparison, Difference, Unlike};
pub use latency::Latencies;
pub(super) use mirrors::Mirrors;
pub use promote::Gate;
pub use tally::{Observed, Tally};
pub use tolerance::Tolerance;
pub use verdict::Bounds;
