//! The rows of one output that wait for their like in the other.

use std::{
    collections::{HashMap, VecDeque},
    io::{Read, Seek},
};

use septet_kit::table::Table;

use super::rows::Rows;

/// Bytes that a row which waits takes beside its values, about.
const WAITING: usize = 128;

/// What says which row it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The row's number, from 0.
    At(u64),
    /// Its value of the key column; none for a null.
    Named(Option<String>),
}

/// A row that waits: which of the tables that are held, and the row of that.
type Place = (u64, usize);

/// The rows of one output.
pub(super) struct Side<R> {
    rows: Rows<R>,
    /// Where its key column is; none where its rows are known by their number.
    key: Option<usize>,
    /// Rows that were read.
    seen: u64,
    ended: bool,
    /// Tables with rows that wait, and how many those are.
    held: HashMap<u64, (Table, usize)>,
    waiting: HashMap<Key, VecDeque<Place>>,
    bytes: usize,
    next: u64,
}

impl<R: Read + Seek> Side<R> {
    /// The rows, of which none has been read.
    pub(super) fn new(rows: Rows<R>, key: Option<usize>) -> Self {
        Self {
            rows,
            key,
            seen: 0,
            ended: false,
            held: HashMap::new(),
            waiting: HashMap::new(),
            bytes: 0,
            next: 0,
        }
    }

    /// Rows that were read; none where there are no more.
    pub(super) fn position(&self) -> Option<u64> {
        (!self.ended).then_some(self.seen)
    }

    /// Bytes of all that waits, about.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reads more rows. `meet` is asked of each whether its like has come, and otherwise the row waits.
    pub(super) fn advance(
        &mut self,
        mut meet: impl FnMut(&Key, &Table, usize) -> bool,
    ) -> Result<(), String> {
        let Some(table) = self.rows.next()? else {
            self.ended = true;
            return Ok(());
        };
        let held = self.next;
        self.next += 1;
        let mut waits = 0;
        for row in 0..table.rows {
            let column = self.key.and_then(|key| table.columns.get(key));
            let key = match column {
                Some(column) => Key::Named(column.label(row)),
                None => Key::At(self.seen),
            };
            self.seen += 1;
            if meet(&key, &table, row) {
                continue;
            }
            self.bytes += size(&key);
            self.waiting.entry(key).or_default().push_back((held, row));
            waits += 1;
        }
        if waits > 0 {
            self.bytes += table.bytes();
            self.held.insert(held, (table, waits));
        }
        Ok(())
    }

    /// Takes the row of this key that has waited longest, and shows it; false where none does.
    pub(super) fn meet(&mut self, key: &Key, with: impl FnOnce(&Table, usize)) -> bool {
        let Some(places) = self.waiting.get_mut(key) else {
            return false;
        };
        let place = places.pop_front();
        if places.is_empty() {
            self.waiting.remove(key);
        }
        let Some((held, row)) = place else {
            return false;
        };
        self.bytes = self.bytes.saturating_sub(size(key));
        if let Some((table, waits)) = self.held.get_mut(&held) {
            with(table, row);
            *waits -= 1;
            if *waits == 0 {
                self.bytes = self.bytes.saturating_sub(table.bytes());
                self.held.remove(&held);
            }
        }
        true
    }

    /// The rows that nobody has met, in their order.
    pub(super) fn left(&self) -> Vec<&Key> {
        let mut left: Vec<(&Place, &Key)> = self
            .waiting
            .iter()
            .flat_map(|(key, places)| places.iter().map(move |place| (place, key)))
            .collect();
        left.sort_unstable_by_key(|(place, _)| **place);
        left.into_iter().map(|(_, key)| key).collect()
    }
}

fn size(key: &Key) -> usize {
    match key {
        Key::Named(Some(text)) => WAITING + text.len(),
        Key::Named(None) | Key::At(_) => WAITING,
    }
}
