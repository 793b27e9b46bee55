//! The key-value store, on a double of one of Spin's kinds.

use septet_spin_store::{KeyValue as _, Swap};
use wasmtime::component::Resource;

use super::{
    Guest,
    bindings::wasi::keyvalue::{
        atomics::{self, CasError},
        store::{self, KeyResponse},
    },
};
use crate::store::double::Double;

/// The one store's name.
const STORE: &str = "default";

/// An opened store.
pub struct Bucket(&'static Double);

/// A value that is to be replaced.
pub struct Cas {
    current: Option<Vec<u8>>,
    swap: Box<dyn Swap>,
}

/// As Spin tells what its store says.
fn told(error: &anyhow::Error) -> store::Error {
    store::Error::Other(format!("{error:#}"))
}

impl store::Host for Guest {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, store::Error> {
        let own = &self.calls.application.components[&self.calls.component];
        if !own.stores.contains(&identifier) {
            return Err(store::Error::AccessDenied);
        }
        if identifier != STORE {
            return Err(store::Error::NoSuchStore);
        }
        let bucket = Bucket(self.calls.application.store);
        Ok(self.table.push(bucket).unwrap())
    }
}

impl store::HostBucket for Guest {
    fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> Result<Option<Vec<u8>>, store::Error> {
        self.table
            .get(&bucket)
            .unwrap()
            .0
            .get(&key)
            .map_err(|error| told(&error))
    }

    fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), store::Error> {
        let store = self.table.get(&bucket).unwrap().0;
        store.set(&key, &value).map_err(|error| told(&error))
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), store::Error> {
        let store = self.table.get(&bucket).unwrap().0;
        store.delete(&key).map_err(|error| told(&error))
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, store::Error> {
        Ok(self.get(bucket, key)?.is_some())
    }

    fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<KeyResponse, store::Error> {
        assert_eq!(cursor, None, "all keys were told at once");
        let keys = self
            .table
            .get(&bucket)
            .unwrap()
            .0
            .keys()
            .map_err(|error| told(&error))?;
        Ok(KeyResponse { keys, cursor })
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Guest {
    fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> Result<i64, store::Error> {
        let store = self.table.get(&bucket).unwrap().0;
        store.increment(&key, delta).map_err(|error| told(&error))
    }

    fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> Result<(), CasError> {
        let Cas { current, swap } = self.table.delete(cas).unwrap();
        match swap.swap(&value) {
            Ok(true) => Ok(()),
            Ok(false) => {
                // The handle that comes back is one that can't be used again.
                let swap = Box::new(Spent);
                let spent = self.table.push(Cas { current, swap }).unwrap();
                Err(CasError::CasFailed(spent))
            }
            Err(error) => Err(CasError::StoreError(told(&error))),
        }
    }
}

/// A change that was tried.
struct Spent;

impl Swap for Spent {
    fn swap(self: Box<Self>, _value: &[u8]) -> anyhow::Result<bool> {
        anyhow::bail!("the value was tried to be replaced already")
    }
}

impl atomics::HostCas for Guest {
    fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> Result<Resource<Cas>, store::Error> {
        let store: &'static Double = self.table.get(&bucket).unwrap().0;
        let watched = store.watch(&key).map_err(|error| told(&error))?;
        let cas = Cas {
            current: watched.current,
            swap: watched.swap,
        };
        Ok(self.table.push(cas).unwrap())
    }

    fn current(&mut self, cas: Resource<Cas>) -> Result<Option<Vec<u8>>, store::Error> {
        Ok(self.table.get(&cas).unwrap().current.clone())
    }

    fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
