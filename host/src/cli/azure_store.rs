//! A store that is in a storage account: `azure:NAME` wherever a store's folder may be named.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use septet::store::{Mode, SystemClock, azure::Azure};

use super::session::Origin;
use crate::config::azure;

/// Opens the store of the connection `name`.
pub(crate) async fn open(origin: &Origin, name: &str, mode: Mode) -> anyhow::Result<Azure> {
    // A key that is set and not used would let somebody believe that the store is encrypted with it.
    ensure!(
        origin.store_key().await?.is_none(),
        "a key is set, and the store azure:{name} is not encrypted by septet: take the key away; \
         the account encrypts what it keeps"
    );
    let connection = azure::connection(name)?;
    let store = Azure::open(connection, mode, Arc::new(SystemClock)).await;
    store.with_context(|| format!("the store azure:{name} can't be opened"))
}
