//! Septet on Azure's services, as the emulator Azurite has them.
//!
//! # Layout
//! - `package.json` and its lock file: the emulator; `clock.cjs`: loaded into it, so that a test can
//!   move its time.
//! - [`bicep`]: the files of Bicep are such.
//! - [`emulator`]: the emulator does what the other tests stand on.
//! - [`package`]: what is deployed, and the check that nothing is wrong with it.

mod bicep;
mod emulator;
mod package;
