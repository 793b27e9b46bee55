//! A store that is in a storage account: `azure:NAME` wherever a store's folder may be named.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use septet::store::{Mode, Store, SystemClock, azure::Azure};

use super::session::Origin;
use crate::config::azure;

/// What such a store's name begins with.
const SCHEME: &str = "azure:";

/// The connection that is named; none where a folder is.
pub(crate) fn named(store: &Path) -> Option<&str> {
    store.to_str()?.strip_prefix(SCHEME)
}

/// Opens the store of the connection `name`.
pub(crate) async fn open(origin: &Origin, name: &str, mode: Mode) -> anyhow::Result<Store> {
    Ok(account(origin, name, mode).await?.store())
}

/// The same, with the account around it.
pub(crate) async fn account(origin: &Origin, name: &str, mode: Mode) -> anyhow::Result<Azure> {
    // A key that is set and not used would let somebody believe that the store is encrypted with it.
    ensure!(
        origin.store_key().await?.is_none(),
        "a key is set, and the store {SCHEME}{name} is not encrypted by septet: take the key away; \
         the account encrypts what it keeps"
    );
    let connection = azure::connection(name)?;
    let store = Azure::open(connection, mode, Arc::new(SystemClock)).await;
    store.with_context(|| format!("the store {SCHEME}{name} can't be opened"))
}
