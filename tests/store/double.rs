//! Key-value stores in memory that do as Spin's four kinds do, their faults included.
//!
//! Taken from the sources of Spin 4.0.2, `crates/key-value-*/src/store.rs`; docs/portability.md has
//! what follows from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use anyhow::{bail, ensure};
use septet_spin_store::{KeyValue, Swap, Watched};

/// A kind of store that Spin has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Redis,
    Cosmos,
    Dynamo,
}

pub const KINDS: [Kind; 4] = [Kind::Sqlite, Kind::Redis, Kind::Cosmos, Kind::Dynamo];

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bytes(Vec<u8>),
    /// Of Cosmos DB: no bytes.
    Number(i64),
}

#[derive(Default)]
struct Kept {
    values: BTreeMap<String, (u64, Value)>,
    changes: u64,
    /// Spin's process has panicked with its lock held: nothing works any more.
    poisoned: bool,
}

/// A store of one kind.
#[derive(Clone)]
pub struct Double {
    kind: Kind,
    kept: Arc<Mutex<Kept>>,
}

impl Double {
    pub fn new(kind: Kind) -> Self {
        let kept = Arc::default();
        Self { kind, kept }
    }

    fn kept(&self) -> anyhow::Result<MutexGuard<'_, Kept>> {
        let kept = self.kept.lock().unwrap();
        ensure!(!kept.poisoned, "the lock is poisoned");
        Ok(kept)
    }

    /// Uploads of blobs of which no value tells.
    pub fn unfinished(&self) -> usize {
        let kept = self.kept.lock().unwrap();
        let uploads = kept.values.keys().filter_map(|key| key.strip_prefix("p:"));
        let uploads: BTreeSet<_> = uploads.filter_map(|key| key.split(':').next()).collect();
        let told = |upload: &str| {
            kept.values.values().any(|(_, value)| match value {
                Value::Bytes(bytes) => bytes
                    .windows(upload.len())
                    .any(|part| part == upload.as_bytes()),
                Value::Number(_) => false,
            })
        };
        uploads.into_iter().filter(|upload| !told(upload)).count()
    }

    pub fn is_poisoned(&self) -> bool {
        self.kept.lock().unwrap().poisoned
    }
}

impl Kept {
    fn put(&mut self, key: &str, value: Value) {
        self.changes += 1;
        self.values.insert(key.to_owned(), (self.changes, value));
    }

    fn read(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match self.values.get(key) {
            None => Ok(None),
            Some((_, Value::Bytes(bytes))) => Ok(Some(bytes.clone())),
            Some((_, Value::Number(number))) => {
                bail!("invalid type: integer `{number}`, expected a sequence")
            }
        }
    }
}

/// What it would be if the number were kept as `kind` keeps it; none where it is no number.
fn number(kind: Kind, value: &Value) -> Option<i64> {
    match (kind, value) {
        (Kind::Sqlite, Value::Bytes(bytes)) => {
            Some(i64::from_le_bytes(bytes.as_slice().try_into().ok()?))
        }
        (Kind::Cosmos, Value::Number(number)) => Some(*number),
        (Kind::Redis | Kind::Dynamo, Value::Bytes(bytes)) => {
            let text = std::str::from_utf8(bytes).ok()?;
            let number: i64 = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        }
        _ => None,
    }
}

impl KeyValue for Double {
    fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        self.kept()?.read(key)
    }

    fn set(&self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        let illegal = self.kind == Kind::Cosmos && key.contains(['/', '\\', '?', '#']);
        ensure!(!illegal, "Key contains an illegal character");
        let most = if self.kind == Kind::Dynamo {
            400_000
        } else {
            1 << 20
        };
        ensure!(value.len() + key.len() < most, "too large");
        self.kept()?.put(key, Value::Bytes(value.to_vec()));
        Ok(())
    }

    fn delete(&self, key: &str) -> anyhow::Result<()> {
        let mut kept = self.kept()?;
        kept.changes += 1;
        kept.values.remove(key);
        Ok(())
    }

    fn keys(&self) -> anyhow::Result<Vec<String>> {
        // In no order that is worth anything.
        Ok(self.kept()?.values.keys().rev().cloned().collect())
    }

    fn increment(&self, key: &str, by: i64) -> anyhow::Result<i64> {
        let mut kept = self.kept()?;
        let old = match kept.values.get(key) {
            None => 0,
            Some((_, value)) => match number(self.kind, value) {
                Some(number) => number,
                None if self.kind == Kind::Sqlite => {
                    kept.poisoned = true;
                    bail!("panicked: incorrect length");
                }
                None => bail!("the value is not a number"),
            },
        };
        let new = old + by;
        let value = match self.kind {
            Kind::Sqlite => Value::Bytes(new.to_le_bytes().to_vec()),
            Kind::Cosmos => Value::Number(new),
            Kind::Redis | Kind::Dynamo => Value::Bytes(new.to_string().into_bytes()),
        };
        kept.put(key, value);
        Ok(new)
    }

    fn watch(&self, key: &str) -> anyhow::Result<Watched<'_>> {
        let kept = self.kept()?;
        let current = kept.read(key)?;
        let swap = Seen {
            double: self,
            key: key.to_owned(),
            current: current.clone(),
            change: kept.values.get(key).map(|(change, _)| *change),
        };
        Ok(Watched {
            current,
            swap: Box::new(swap),
        })
    }
}

struct Seen<'a> {
    double: &'a Double,
    key: String,
    current: Option<Vec<u8>>,
    change: Option<u64>,
}

impl Swap for Seen<'_> {
    fn swap(self: Box<Self>, value: &[u8]) -> anyhow::Result<bool> {
        let mut kept = self.double.kept()?;
        let now = kept.values.get(&self.key);
        let unchanged = match self.double.kind {
            // An upsert where there was nothing; else the values are compared.
            Kind::Sqlite => {
                self.current.is_none() || kept.read(&self.key).ok().flatten() == self.current
            }
            _ => now.map(|(change, _)| *change) == self.change,
        };
        if unchanged {
            kept.put(&self.key, Value::Bytes(value.to_vec()));
        }
        // `UNWATCH` is sent with an argument, which Redis refuses: the swap is said to have failed.
        Ok(unchanged && self.double.kind != Kind::Redis)
    }
}
