//! A store in an Azure storage account, which any number of machines share.
//!
//! # Layout
//! - `connection`: where the account is and how one is let in.
//! - `connection_string`: a connection as one line of settings.
//! - `identity`: tokens of an identity; `azure_cli` and `resource` are two ways to one, `failure` is
//!   what goes wrong on the way.
//! - `bounded`: requests whose answers and whose time are bounded.
//! - `account`: opens the store.

mod account;
mod azure_cli;
mod bounded;
mod connection;
mod connection_string;
mod failure;
mod identity;
mod resource;

pub use account::Azure;
pub(crate) use bounded::{Bounded, Proxies};
pub use connection::{Access, Connection, Identity, IdentityKind, address, service_address};
pub use identity::credential;
