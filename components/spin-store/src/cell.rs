//! A place that holds one value or none, and is changed only as it was seen.
//!
//! A cell's key holds nothing but the identifier of a value that lies under a key of its own and is
//! written first. So a change is a swap of eight bytes, which nobody sees half of; and where a
//! store swaps only what is there, a zero can be put there safely: on SQLite, to count up by zero
//! changes nothing of eight bytes, and panics at anything else.
//!
//! No answer of a swap is believed. What the cell holds afterwards is, since nobody else makes the
//! same identifier.

use std::sync::{Arc, OnceLock};

use anyhow::bail;
use septet_core::store::Clock;

use crate::{Absent, Id, KeyValue, Swap, value};

/// How often others may be faster at one cell before a call fails.
const ROUNDS: usize = 32;

/// What a cell holds.
pub(crate) struct Held {
    /// Changes with every change.
    pub(crate) id: Id,
    pub(crate) value: Vec<u8>,
}

/// What came of the wish to fill an empty cell.
pub(crate) enum Filled {
    New,
    /// Somebody was first.
    Exists(Held),
}

/// A cell as it is, and how to swap it.
type Seen<'a> = (Vec<u8>, Box<dyn Swap + 'a>);

/// The cells of a store.
pub(crate) struct Cells {
    pub(crate) store: Arc<dyn KeyValue>,
    pub(crate) clock: Arc<dyn Clock>,
    absent: OnceLock<Absent>,
}

impl Cells {
    pub(crate) fn new(store: Arc<dyn KeyValue>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            absent: OnceLock::new(),
        }
    }

    /// What the cell holds, if it holds something.
    pub(crate) fn read(&self, key: &str) -> anyhow::Result<Option<Held>> {
        let mut before = None;
        for _ in 0..ROUNDS {
            let Some(id) = self.store.get(key)?.as_deref().and_then(Id::read) else {
                return Ok(None);
            };
            if let Some(value) = value::read(self.store.as_ref(), id)? {
                return Ok(Some(Held { id, value }));
            }
            // It was changed between the two reads, unless it still says the same.
            if before == Some(id) {
                bail!("the key-value store has no value {id}, of which {key} tells");
            }
            before = Some(id);
        }
        bail!("{key} of the key-value store is changed by others again and again")
    }

    /// Fills the cell if and only if it holds nothing.
    pub(crate) fn fill(&self, key: &str, value: &[u8]) -> anyhow::Result<Filled> {
        if let Some(there) = self.read(key)? {
            return Ok(Filled::Exists(there));
        }
        let id = Id::fresh();
        let mut written = false;
        for _ in 0..ROUNDS {
            let Some((current, swap)) = self.seen(key)? else {
                continue;
            };
            if Id::read(&current).is_none() {
                if !written {
                    value::write(self.store.as_ref(), id, value, self.clock.now())?;
                    written = true;
                }
                if self.landed(key, id, swap.swap(id.bytes()))? {
                    return Ok(Filled::New);
                }
            }
            // The value is left, if it was written: a swap whose answer was lost may land late. What
            // nobody names is swept in time.
            if let Some(there) = self.read(key)? {
                return Ok(Filled::Exists(there));
            }
        }
        bail!("{key} of the key-value store is filled and emptied by others again and again")
    }

    /// A cell as it is, and how to swap it safely if it is empty; none where it went just now.
    fn seen(&self, key: &str) -> anyhow::Result<Option<Seen<'_>>> {
        let mut watched = self.store.watch(key)?;
        if watched.current.is_none() {
            match self.absent()? {
                Absent::Compared => return Ok(Some((Vec::new(), watched.swap))),
                // Who is faster puts eight bytes there as well, and those are not changed by this.
                Absent::Overwritten => self.store.increment(key, 0)?,
            };
            watched = self.store.watch(key)?;
        }
        Ok(watched.current.map(|current| (current, watched.swap)))
    }

    /// Puts another value in the place of `held`; none where the cell holds another by now.
    pub(crate) fn replace(&self, key: &str, held: Id, value: &[u8]) -> anyhow::Result<Option<Id>> {
        let watched = self.store.watch(key)?;
        if !is(watched.current.as_deref(), held) {
            return Ok(None);
        }
        let id = Id::fresh();
        value::write(self.store.as_ref(), id, value, self.clock.now())?;
        let done = self.landed(key, id, watched.swap.swap(id.bytes()))?;
        if done {
            value::delete(self.store.as_ref(), held)?;
        }
        Ok(done.then_some(id))
    }

    /// Empties the cell; false where it does not hold `held` any more. Its key stays, with eight
    /// bytes: to delete it could take away what somebody else has put there just now.
    pub(crate) fn empty(&self, key: &str, held: Id) -> anyhow::Result<bool> {
        let watched = self.store.watch(key)?;
        if !is(watched.current.as_deref(), held) {
            return Ok(false);
        }
        let gone = Id::gone();
        let done = self.landed(key, gone, watched.swap.swap(gone.bytes()))?;
        if done {
            value::delete(self.store.as_ref(), held)?;
        }
        Ok(done)
    }

    /// Takes the cell away with what it holds, whatever that is by now.
    pub(crate) fn delete(&self, key: &str) -> anyhow::Result<()> {
        let Some(id) = self.store.get(key)?.as_deref().and_then(Id::read) else {
            return Ok(());
        };
        self.store.delete(key)?;
        value::delete(self.store.as_ref(), id)
    }

    /// Whether the cell holds `id` now, whatever was answered.
    fn landed(&self, key: &str, id: Id, answer: anyhow::Result<bool>) -> anyhow::Result<bool> {
        if is(self.store.get(key)?.as_deref(), id) {
            return Ok(true);
        }
        answer.map(|_| false)
    }

    fn absent(&self) -> anyhow::Result<Absent> {
        if let Some(known) = self.absent.get() {
            return Ok(*known);
        }
        let found = Absent::of(self.store.as_ref())?;
        Ok(*self.absent.get_or_init(|| found))
    }
}

fn is(bytes: Option<&[u8]>, id: Id) -> bool {
    bytes == Some(id.bytes())
}
