//! Secrets that are not in the settings but in a vault, which the settings name.
//!
//! # Layout
//! - `text`: a secret in memory.
//! - `reference`: where a secret is, as settings write it. Pure.
//! - `vault`: what is asked of a vault, and how it refuses.
//! - `secrets`: kept for a while, renewed, and served on while a vault is out of reach.
//! - `azure`: vaults of Azure Key Vault.
//!
//! This module must not know what a secret is for, and no text of it has any of one.

pub mod azure;
mod reference;
mod secrets;
mod text;
mod vault;

pub use reference::Reference;
pub use secrets::Secrets;
pub use text::Secret;
pub use vault::{Refused, Vaults};
