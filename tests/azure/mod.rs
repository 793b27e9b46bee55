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
mod handler;
mod seven;
mod simulator;
