//! The distinct texts of a column, as long as they are few.
//!
//! All columns together share a bounded room, so that a table of thousands of columns does not
//! need more memory than one of ten.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use twox_hash::XxHash3_64;

/// Distinct texts of a category at most, where the kind is found.
pub const MAX_FOUND: usize = 1_000;

/// Distinct texts of a category at most, where it is declared.
pub const MAX_DECLARED: usize = 1 << 16;

/// Bytes of a category's text at most.
const MAX_TEXT: usize = 256;

/// Bytes of the texts of all columns together, about.
const ROOM: usize = 64 << 20;

/// What a text needs beside its bytes, about.
const OVERHEAD: usize = 64;

/// Bytes that are left for the texts of all columns.
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(ROOM)
    }
}

/// Keys are hashes already. The order of the map is never looked at.
#[derive(Default)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A map by hashes that are the same on every host.
pub type ByHash<T> = HashMap<u64, T, BuildHasherDefault<Identity>>;

/// The distinct texts of a column.
pub struct Categories {
    codes: ByHash<u32>,
    texts: Vec<String>,
    limit: usize,
    /// Whether there were too many, so that the column is none of categories.
    closed: bool,
}

impl Default for Categories {
    fn default() -> Self {
        Self::new(MAX_FOUND)
    }
}

impl Categories {
    /// None yet, and at most `limit`.
    pub fn new(limit: usize) -> Self {
        Self {
            codes: ByHash::default(),
            texts: Vec::new(),
            limit,
            closed: false,
        }
    }

    /// Adds a text, if it is new.
    pub fn add(&mut self, text: &str, room: &mut Room) {
        if self.closed {
            return;
        }
        let hash = XxHash3_64::oneshot(text.as_bytes());
        if let Some(code) = self.codes.get(&hash) {
            // Two texts of one hash are made on purpose: such a column is none of categories.
            if self
                .texts
                .get(*code as usize)
                .is_none_or(|known| known != text)
            {
                self.close(room);
            }
            return;
        }
        let need = text.len() + OVERHEAD;
        if self.texts.len() >= self.limit || text.len() > MAX_TEXT || need > room.0 {
            self.close(room);
            return;
        }
        room.0 -= need;
        self.codes.insert(hash, self.texts.len() as u32);
        self.texts.push(text.to_owned());
    }

    fn close(&mut self, room: &mut Room) {
        room.0 += self
            .texts
            .iter()
            .map(|text| text.len() + OVERHEAD)
            .sum::<usize>();
        *self = Self {
            closed: true,
            ..Self::new(0)
        };
    }

    /// Whether the distinct texts of so many `values` are those of a category: at most half as
    /// many as values, and at most [`MAX_FOUND`] of at most 256 bytes each.
    pub fn are_few(&self, values: u64) -> bool {
        !self.closed && self.texts.len() as u64 * 2 <= values
    }

    /// Whether there were too many.
    pub const fn are_too_many(&self) -> bool {
        self.closed
    }

    /// With the texts in order, so that what a category is does not hang on the order of rows.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.texts.sort_unstable();
        self.codes = self
            .texts
            .iter()
            .zip(0..)
            .map(|(text, code)| (XxHash3_64::oneshot(text.as_bytes()), code))
            .collect();
        self
    }

    /// The texts, by their codes.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The code of a text.
    pub fn code(&self, text: &str) -> Option<u32> {
        let code = *self.codes.get(&XxHash3_64::oneshot(text.as_bytes()))?;
        (self.texts.get(code as usize)? == text).then_some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_get_codes_in_their_order() {
        let (mut categories, mut room) = (Categories::default(), Room::default());
        for text in ["b", "a", "b", "c"] {
            categories.add(text, &mut room);
        }
        assert!(categories.are_few(6) && !categories.are_few(5));
        let categories = categories.sorted();
        assert_eq!(categories.texts(), ["a", "b", "c"]);
        assert_eq!(categories.code("b"), Some(1));
        assert_eq!(categories.code("d"), None);
    }

    #[test]
    fn too_many_or_too_long_give_their_room_back() {
        let mut room = Room::default();
        let mut many = Categories::default();
        for number in 0..=MAX_FOUND {
            many.add(&number.to_string(), &mut room);
        }
        assert!(many.are_too_many() && !many.are_few(u64::MAX));
        let mut long = Categories::default();
        long.add(&"x".repeat(MAX_TEXT + 1), &mut room);
        assert!(long.are_too_many());
        assert_eq!(room.0, ROOM);
        let mut none = Categories::default();
        none.add("x", &mut Room(8));
        assert!(none.are_too_many());
    }
}
