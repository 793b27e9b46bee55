//! Septet on Azure's services, as the emulator Azurite has them.
//!
//! # Layout
//! - `package.json` and its lock file: the emulator; `clock.cjs`: loaded into it, so that a test can
//!   move its time.
//! - [`simulator`]: the Functions host; [`handler`]: what it may send to the real binary; [`seven`]: the
//!   demo as seven apps.
//! - [`emulator`]: the emulator does what the other tests stand on.
//! - [`commands`]: the commands of the real binary over a store in an account.

mod commands;
mod emulator;
#[allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used, and heads as they are sent"
)]
mod handler;
mod seven;
#[allow(
    clippy::assigning_clones,
    clippy::format_push_string,
    clippy::items_after_statements,
    clippy::needless_pass_by_value,
    clippy::redundant_closure_for_method_calls,
    reason = "values are written where they are used, and heads as they are sent"
)]
mod simulator;
