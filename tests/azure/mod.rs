//! Septet on Azure's services, as the emulator Azurite has them.
//!
//! # Layout
//! - `package.json` and its lock file: the emulator; `clock.cjs`: loaded into it, so that a test can
//!   move its time.
//! - [`bicep`]: the files of Bicep are such.
//! - [`simulator`]: the Functions host; [`handler`]: what it may send to the real binary; [`lifecycle`]: how
//!   many calls, kills, exits; [`seven`]: the demo as seven apps.
//! - [`emulator`]: the emulator does what the other tests stand on.
//! - `identity`, with `instance`: a store behind a managed identity.
//! - `vault`, with `vaults`: keys from Key Vault.
//! - [`package`]: what is deployed, and the check that nothing is wrong with it.
//! - [`commands`]: the commands of the real binary over a store in an account.
//! - [`handed`]: messages that somebody else received and hands over; a blob in blocks.
//! - [`durable`]: processes that are killed, and that share the work. - [`peer`]: another
//!   implementation's clients write what Septet reads and read what it writes.

mod bicep;
mod commands;
mod durable;
mod emulator;
mod external;
mod handed;
#[allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used, and heads as they are sent"
)]
mod handler;
mod identity;
mod instance;
mod lifecycle;
mod package;
mod peer;
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
mod vault;
mod vaults;
