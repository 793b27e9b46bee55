//! Spin's key-value store through `wasi:keyvalue`, so that any host with that interface can answer.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::indexing_slicing,
    reason = "generated"
)]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package septet:spin-kit;

            world user {
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
            }
        ",
        generate_all,
    });
}

use std::sync::Arc;

use anyhow::anyhow;
use bindings::wasi::keyvalue::{
    atomics::{self, Cas, CasError},
    store::{self, Bucket, Error},
};
use septet_core::{
    pipeline::Pipeline,
    store::{Store, SystemClock},
};
pub use septet_spin_store::GRACE;
use septet_spin_store::{KeyValue, Keyed, Swap, Watched};

/// The store's name in the manifest.
const STORE: &str = "default";

/// Pages of keys that are asked for at most: who answers with a cursor forever is not believed.
const MOST_PAGES: usize = 10_000;

/// The store that the manifest grants.
struct Granted(Bucket);

/// Opens the store; an error says what the manifest lacks.
pub fn open() -> anyhow::Result<Store> {
    keyed().map(|keyed| keyed.store())
}

/// The store with what only its backend knows.
pub fn keyed() -> anyhow::Result<Keyed> {
    let bucket = store::open(STORE).map_err(told)?;
    Ok(Keyed::new(Arc::new(Granted(bucket)), Arc::new(SystemClock)))
}

/// The pipeline over the store.
pub fn pipeline() -> anyhow::Result<Pipeline> {
    open().map(Pipeline::new)
}

impl KeyValue for Granted {
    fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        self.0.get(key).map_err(told)
    }

    fn set(&self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        self.0.set(key, value).map_err(told)
    }

    fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.0.delete(key).map_err(told)
    }

    fn keys(&self) -> anyhow::Result<Vec<String>> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = self.0.list_keys(cursor.as_deref()).map_err(told)?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
        Err(anyhow!("the key-value store lists its keys without an end"))
    }

    fn increment(&self, key: &str, by: i64) -> anyhow::Result<i64> {
        atomics::increment(&self.0, key, by).map_err(told)
    }

    fn watch(&self, key: &str) -> anyhow::Result<Watched<'_>> {
        let cas = Cas::new(&self.0, key).map_err(told)?;
        let current = cas.current().map_err(told)?;
        let swap = Box::new(Seen(cas));
        Ok(Watched { current, swap })
    }
}

/// A value as it was read.
struct Seen(Cas);

impl Swap for Seen {
    fn swap(self: Box<Self>, value: &[u8]) -> anyhow::Result<bool> {
        match atomics::swap(self.0, value) {
            Ok(()) => Ok(true),
            Err(CasError::CasFailed(_)) => Ok(false),
            Err(CasError::StoreError(error)) => Err(told(error)),
        }
    }
}

fn told(error: Error) -> anyhow::Error {
    match error {
        Error::AccessDenied => anyhow!(
            "access to the key-value store '{STORE}' is denied: list it under key_value_stores of \
             this component in spin.toml"
        ),
        Error::NoSuchStore => anyhow!(
            "there is no key-value store '{STORE}': name it in the runtime configuration of Spin"
        ),
        Error::Other(reason) => anyhow!("the key-value store: {reason}"),
    }
}
