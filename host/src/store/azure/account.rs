//! Opens a store in a storage account.

use std::sync::Arc;

use super::Connection;
use crate::store::{Clock, Mode, Store};

/// A store in a storage account.
pub struct Azure {
    store: Store,
}

impl Azure {
    /// Opens the store; with [`Mode::Create`], makes the containers that are missing.
    #[expect(clippy::unused_async, reason = "the client is being written")]
    pub async fn open(
        connection: Connection,
        _mode: Mode,
        _clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        anyhow::bail!(
            "the store of connection {} can't be opened",
            connection.name
        )
    }

    /// The store's three parts.
    pub fn store(&self) -> Store {
        self.store.clone()
    }
}
