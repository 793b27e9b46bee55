//! A store that lives and ends with its process: for tests and for calls that keep nothing.

mod blobs;
mod queues;
mod records;

use std::sync::Arc;

use super::{Clock, Store, SystemClock};

/// An empty store in memory.
pub fn memory() -> Store {
    memory_with(Arc::new(SystemClock))
}

/// An empty store in memory whose leases follow `clock`.
pub fn memory_with(clock: Arc<dyn Clock>) -> Store {
    Store {
        blobs: Arc::new(blobs::MemoryBlobs::new(Arc::clone(&clock))),
        records: Arc::new(records::MemoryRecords::default()),
        queues: Arc::new(queues::MemoryQueues::new(clock)),
    }
}
