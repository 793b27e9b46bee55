//! A whole store over a key-value store.

use std::{sync::Arc, time::Duration};

use septet_core::store::{Clock, Store};

use crate::{
    KeyValue, Shelf,
    cell::Cells,
    queues::KeyedQueues,
    records::KeyedRecords,
    tidy::{self, Tidied},
};

/// A key-value store as a store of runs.
pub struct Keyed {
    cells: Arc<Cells>,
    store: Store,
}

impl Keyed {
    /// What is in `store`, or will be: there is nothing to prepare.
    pub fn new(store: Arc<dyn KeyValue>, clock: Arc<dyn Clock>) -> Self {
        let cells = Arc::new(Cells::new(store, clock));
        let store = Store {
            blobs: Arc::new(Shelf::over(Arc::clone(&cells))),
            records: Arc::new(KeyedRecords(Arc::clone(&cells))),
            queues: Arc::new(KeyedQueues::new(Arc::clone(&cells))),
        };
        Self { cells, store }
    }

    /// The three parts that the pipeline stands on.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// The blobs, for callers that are not asynchronous.
    pub fn shelf(&self) -> Shelf {
        Shelf::over(Arc::clone(&self.cells))
    }

    /// Takes away what calls that were broken off have left more than `grace` ago, such as
    /// [`GRACE`](crate::GRACE). All keys are listed, and every record's and every blob's is read.
    pub fn tidy(&self, grace: Duration) -> anyhow::Result<Tidied> {
        tidy::tidy(&self.cells, grace)
    }
}
