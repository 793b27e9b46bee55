//! What a swap does on a store where there was no value.

use crate::{Id, KeyValue};

/// A number that is 0 for ever: how a store writes it tells which kind it is.
const PROBE: &str = "septet:zero";

/// Where a store is remembered whose numbers cannot be read.
const TRIED: &str = "septet:absent";

/// What a swap does that was begun where there was no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It writes over whatever is there by then: SQLite.
    Overwritten,
    /// It fails where there is something by then: Redis, Cosmos DB, `DynamoDB`.
    Compared,
}

impl Absent {
    /// Finds out, by what the store does and not by what it is called. Mostly that is one read.
    pub(crate) fn of(store: &dyn KeyValue) -> anyhow::Result<Self> {
        if let Some(known) = told(store) {
            return Ok(known);
        }
        if store.get(TRIED).is_ok_and(|tried| tried.is_some()) {
            return Ok(Self::Compared);
        }
        // This key is never anything but a number, so that to count it is safe everywhere.
        store.increment(PROBE, 0)?;
        if let Some(known) = told(store) {
            return Ok(known);
        }
        let found = tried(store)?;
        if found == Self::Compared {
            store.set(TRIED, b"compared")?;
        }
        Ok(found)
    }
}

/// What the number's form tells: SQLite alone has eight bytes. Cosmos DB cannot read it at all.
fn told(store: &dyn KeyValue) -> Option<Absent> {
    match store.get(PROBE).ok()??.as_slice() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Absent::Overwritten),
        b"0" => Some(Absent::Compared),
        _ => None,
    }
}

/// Tries it, under a key that is nobody else's. It comes last, since the first SQLite stores of
/// Spin panicked at such a swap.
fn tried(store: &dyn KeyValue) -> anyhow::Result<Absent> {
    let key = format!("septet:try:{}", Id::fresh());
    let watched = store.watch(&key)?;
    store.set(&key, b"first")?;
    // The answer says nothing that can be believed.
    let _ = watched.swap.swap(b"second");
    let left = store.get(&key);
    store.delete(&key)?;
    match left?.as_deref() {
        Some(b"first") => Ok(Absent::Compared),
        Some(b"second") => Ok(Absent::Overwritten),
        _ => anyhow::bail!(
            "the key-value store does not give back what was written to it just now: on Cosmos DB, \
             set the account's consistency to strong"
        ),
    }
}
