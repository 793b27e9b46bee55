//! A store in an Azure storage account, which any number of machines share.
//!
//! # Layout
//! - `connection`: where the account is and how one is let in.
//! - `account`: opens the store.

mod account;
mod connection;

pub use account::Azure;
pub use connection::{Access, Connection, Identity, IdentityKind};
