//! Which component of each stage is in force, and what it was before.
//!
//! # Layout
//! - `event`: the entries of the one log of all stages.
//! - `percent`, `state`: a share of calls; the log folded, and which component a call is given.
//! - `book`: reads what is new of the log and appends to it. - `wished`: a shadow that the settings wish for.
//! - `refusal`: swaps that were refused; they are no part of the log.
//! - `trusted`: whether this process takes what the log says.
//! - `pin`: the components that a new run is given.
//!
//! It must not know what a component does, or compile one: whether it is fit for its stage was
//! settled before it came here.

mod book;
mod event;
mod percent;
mod pin;
mod refusal;
mod state;
mod trusted;
mod wished;

pub use book::{Changed, Swaps, Undone};
pub use event::{
    Admitted, ArmKind, Entry, Event, Promotion, Reversal, Swap, Trial, Wished, Withdrawal,
};
pub use percent::Percent;
pub use refusal::Refusal;
pub use state::{Arm, InForce, StageState};
pub use trusted::Own;
