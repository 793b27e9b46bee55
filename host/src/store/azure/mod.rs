//! A store in an Azure storage account, which any number of machines share.
//!
//! # Layout
//! - `connection`: where the account is and how one is let in; `connection_string`: the same as one
//!   line of settings.
//! - `identity`: tokens of an identity; `azure_cli`, `directory` and `resource` are ways to one, `failure` is
//!   what goes wrong on the way. - `bounded`: requests whose answers and whose time are bounded.
//! - `account`: opens the store; the clients for its containers and queues.
//! - `signature`: requests signed with an account's key. - `time`: the time as the service has it.
//! - `trouble`: what a refusal means to a user.
//! - `container`: what is asked of a container of blobs.
//! - `blobs`, `records`, `queues`: the traits; `leases`: who has a message.
//! - `content`: bytes of blobs on this machine; `upload`: on their way to the service.
//! - `card`: what a message says and how it stands with it; `tickets`: messages of the service;
//!   `wire`: what is in one; `receipt`: the proof of a lease.

mod account;
mod azure_cli;
mod blobs;
mod bounded;
mod card;
mod connection;
mod connection_string;
mod container;
mod content;
mod directory;
mod failure;
mod identity;
mod incoming;
mod leases;
mod queues;
mod receipt;
mod records;
mod resource;
mod signature;
mod tickets;
mod time;
mod trouble;
mod upload;
mod wire;

pub use account::Azure;
pub(crate) use bounded::{Bounded, Proxies};
pub use connection::{Access, Connection, Identity, IdentityKind, address, service_address};
pub(crate) use failure::line as no_token;
pub use identity::credential;
pub use incoming::CopiedIn;
