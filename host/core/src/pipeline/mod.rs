//! What a run is, what it does next, and how nothing of it is lost or done twice.
//!
//! # Layout
//! - `run`, `invocation`, `plan`: what was asked for, one call of one stage, and which are due.
//! - `pin`: what the model's name decides of a run: its schema, its split, its test files.
//! - `record`, `commit`, `ledger`: what is written: once for each invocation, once for each work.
//! - `doing`: who is at a work, so that several runs that need it have it done once.
//! - `envelope`, `poison`: the messages, and those that came to nothing.
//! - `start`, `cancel`: a run is created, once for each cause, and ended before it is done.
//! - `worker`, `execute`, `drain`: who takes a message, and does one invocation.
//! - `publish`, `end`, `recover`: what follows from a commit, and again after a crash.
//! - `policy`, `check`: how often and how long, and what an outcome must be to be committed.
//! - `chain`: logs that only grow.
//! - `registry`: versions of models and their aliases, such a log.
//! - `standing`: the external stages of a process's settings.
//! - `swaps`: which component of each stage is in force, one log of all stages.
//! - `transforms`: the names of users' transforms, likewise.
//! - `trials`: what is seen of components that are only tried, and the end of a bad one.
//! - `gc`, `roots`, `forget`: what nothing needs any more is deleted, beside whoever works.
//! - `verify`: whether the store is whole.
//! - `golden`: calls that ended well, to be done again by another component.
//! - `state`, `report`, `view`: a run folded from its records, for those who ask.
//! - `executor`, `observer`: what the pipeline needs of the stages, and who watches.
//! - `trace`, `delivery`: where the work of a run stands in its trace, and a message as a span of it.
//!
//! # The protocol
//! 1. A stage's outputs are blobs: nothing refers to them yet.
//! 2. The commit is one record, created if there is none: who comes second adopts the first's.
//! 3. What follows is published from the record, each step such that doing it twice is doing it
//!    once: registry, messages, the next invocations, `published`.
//! 4. The message that asked for it is acknowledged.
//!
//! After a crash between any two steps the message comes back, or the recoverer finds the run in
//! `active/`, and the rest is done. No step needs a transaction over two things.
//!
//! This module must not know wasmtime, a trigger or a backend of the store.

mod cancel;
mod chain;
mod check;
mod commit;
mod delivery;
mod doing;
mod drain;
mod end;
mod envelope;
mod execute;
mod executor;
mod forget;
mod gc;
mod golden;
mod invocation;
mod ledger;
mod observer;
mod pin;
mod plan;
mod poison;
mod policy;
mod publish;
mod record;
mod recover;
pub mod registry;
mod report;
mod roots;
mod run;
mod standing;
mod start;
mod state;
mod swaps;
mod trace;
mod transforms;
mod trials;
mod verify;
mod view;
mod worker;

pub use commit::{Commit, Ending};
pub use envelope::Asked;
pub use executor::{Executor, Progress, Rehearsed};
pub use gc::{Collect, Collected};
pub use golden::Golden;
pub use invocation::Invocation;
pub use ledger::CONTRACT;
pub use observer::{Observer, Silent};
pub use plan::{follows, required_outputs};
pub use poison::{Poisoned, Replayed};
pub use policy::Policy;
pub use publish::{AliasResult, Change};
pub use recover::Recovered;
pub use registry::{ModelRef, Registry, Selector};
pub use report::{RunSummary, StageRow};
pub use run::{Pinned, PinnedModel, RunKind, RunRequest, Source};
pub use standing::{Stand, Standing};
pub use start::Keyed;
pub use state::{RunState, Status};
pub use swaps::{
    Admitted, Arm, ArmKind, Changed, Entry as SwapEntry, Event as SwapEvent, InForce, Own, Percent,
    Promotion, Refusal, Reversal, StageState, Swap, Swaps, Trial, Undone, Wished, Withdrawal,
};
pub use trace::{Place, SPANS, Traceparent, Traces, Untraced, trace_of};
pub use transforms::{
    Added, Addition, Entry as TransformEntry, Event as TransformEvent, NamedTransform, Removal,
    TransformRef, TransformVersion, Transforms, check_transform,
};
pub use trials::{
    Bounds, Compared, Comparison, Difference, Gate, Latencies, Observed, Tally, Tolerance, Trials,
    Unlike, Used,
};
pub use verify::{Problem, Verified};
pub use view::{Found, Pipeline};
pub use worker::Worker;
