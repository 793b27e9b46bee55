//! Where everything that outlives a process is kept: blobs, records and queues.
//!
//! # Layout
//! - `blobs`, `records`, `queues`: the three traits a backend implements. The only atomic operation
//!   asked of a backend is to create a record where there is none: every store has it.
//! - `memory`, `local`, `azure`: the backends, a file per trait.
//! - `export`: from a blob to a file of a user.
//! - `clock`, `names`: what all backends share: the time, and what keys and queues are called.
//! - `key`: what a store is encrypted with.
//!
//! This module must not know stages, runs or models: they are the pipeline's.

pub mod azure;
mod blobs;
mod clock;
mod export;
mod key;
mod local;
mod memory;
mod names;
mod queues;
mod records;

use std::sync::Arc;

pub use blobs::{BlobError, BlobReader, BlobWriter, Blobs, Listed};
pub(crate) use clock::millis;
pub use clock::{Clock, ManualClock, SystemClock};
pub use export::{Target, copy};
pub use key::StoreKey;
pub use local::{Access, Local, Mode};
pub use memory::{memory, memory_with};
pub(crate) use names::check_queue;
pub use names::{MAX_BODY, MAX_KEY, MAX_QUEUE};
pub use queues::{Handed, Message, Queues, Received};
pub use records::{Created, Entry, Records};

/// A backend's three parts.
#[derive(Clone)]
pub struct Store {
    /// Content-addressed bytes.
    pub blobs: Arc<dyn Blobs>,
    /// Small documents, created once.
    pub records: Arc<dyn Records>,
    /// Work to be done.
    pub queues: Arc<dyn Queues>,
}
