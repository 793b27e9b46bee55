//! Septet on Azure's services, as the emulator Azurite has them.
//!
//! # Layout
//! - `package.json` and its lock file: the emulator; `clock.cjs`: loaded into it, so that a test can
//!   move its time.
//! - [`emulator`]: the emulator does what the other tests stand on.
//! - `vault`, with `vaults` and `instance`: keys from Key Vault, by an instance's managed identity.

mod emulator;
mod instance;
mod vault;
mod vaults;
