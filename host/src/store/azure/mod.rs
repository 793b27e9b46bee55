//! A store in an Azure storage account, which any number of machines share.
//!
//! # Layout
//! - `connection`: where the account is and how one is let in.
//! - `account`: opens the store; the clients for its containers and queues.
//! - `signature`: requests signed with an account's key. - `time`: the time as the service has it.
//! - `trouble`: what a refusal means to a user.
//! - `container`: what is asked of a container of blobs.
//! - `blobs`, `records`, `queues`: the traits. - `content`: bytes of blobs on this machine;
//!   `upload`: on their way to the service.
//! - `card`: what a message says and how it stands with it; `tickets`: messages of the service;
//!   `wire`: what is in one; `receipt`: the proof of a lease.

mod account;
mod blobs;
mod card;
mod connection;
mod container;
mod content;
mod queues;
mod receipt;
mod records;
mod signature;
mod tickets;
mod time;
mod trouble;
mod upload;
mod wire;

pub use account::Azure;
pub use connection::{Access, Connection, Identity, IdentityKind};
fn credential(_: &Identity, _: &str) -> anyhow::Result<std::sync::Arc<dyn azure_core::credentials::TokenCredential>> { anyhow::bail!("not yet") }
