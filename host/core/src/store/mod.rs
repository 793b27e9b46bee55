//! Where everything that outlives a process is kept: blobs, records and queues.
//!
//! # Layout
//! - `blobs`, `records`, `queues`: the three traits a backend implements. The only atomic operation
//!   asked of a backend is to create a record where there is none: every store has it.
//! - `memory`: a backend that ends with its process.
//! - `clock`, `names`: what all backends share: the time, and what keys and queues are called.
//!
//! This module must not know stages, runs or models: they are the pipeline's.

mod blobs;
mod clock;
mod memory;
mod names;
mod queues;
mod records;

use std::sync::Arc;

pub use blobs::{BlobError, BlobReader, BlobWriter, Blobs, Listed};
pub use clock::{Clock, ManualClock, SystemClock, millis};
pub use memory::{memory, memory_with};
pub use names::{
    MAX_BODY, MAX_KEY, MAX_QUEUE, check_key, check_message, check_prefix, check_queue,
};
pub use queues::{Handed, Mail, Message, Queues, Received};
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
