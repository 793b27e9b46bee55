//! Values that are written once, under names of their own, in pieces that every store takes.

use anyhow::{Context as _, ensure};

use crate::{Id, KeyValue};

/// Bytes of a piece. `DynamoDB` takes 400 KB; Cosmos DB takes 2 MB, and is given four characters for
/// every byte.
pub const PIECE: usize = 256 << 10;

/// The longest value. A record is a document, not data.
pub(crate) const LONGEST: usize = 16 << 20;

/// Time and length come first.
const HEAD: usize = 16;

/// A value's first key; the others follow it.
pub(crate) const PREFIX: &str = "v:";

fn key(id: Id, piece: usize) -> String {
    match piece {
        0 => format!("{PREFIX}{id}"),
        _ => format!("{PREFIX}{id}:{piece}"),
    }
}

/// Writes a value that nobody knows of yet.
pub(crate) fn write(store: &dyn KeyValue, id: Id, value: &[u8], now: u64) -> anyhow::Result<()> {
    ensure!(
        value.len() <= LONGEST,
        "a document of {} bytes is longer than the {LONGEST} that the key-value store is given",
        value.len()
    );
    let mut first = now.to_le_bytes().to_vec();
    first.extend_from_slice(&(value.len() as u64).to_le_bytes());
    let (begin, rest) = value.split_at(value.len().min(PIECE - HEAD));
    first.extend_from_slice(begin);
    store.set(&key(id, 0), &first)?;
    for (piece, number) in rest.chunks(PIECE).zip(1..) {
        store.set(&key(id, number), piece)?;
    }
    Ok(())
}

/// The value; none where it is not there (any more).
pub(crate) fn read(store: &dyn KeyValue, id: Id) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(mut value) = store.get(&key(id, 0))? else {
        return Ok(None);
    };
    let (_, length) = head(&value).with_context(|| format!("{} is damaged", key(id, 0)))?;
    value.drain(..HEAD);
    let mut number = 1;
    while value.len() < length {
        let Some(piece) = store.get(&key(id, number))? else {
            return Ok(None);
        };
        ensure!(!piece.is_empty(), "{} is empty", key(id, number));
        value.extend_from_slice(&piece);
        number += 1;
    }
    ensure!(value.len() == length, "{} is damaged", key(id, 0));
    Ok(Some(value))
}

/// When the value was written.
pub(crate) fn written(first: &[u8]) -> Option<u64> {
    head(first).map(|(time, _)| time)
}

/// Takes a value away that nobody names any more. The first piece goes last, so that what is left of
/// a deletion that was broken off can be found.
pub(crate) fn delete(store: &dyn KeyValue, id: Id) -> anyhow::Result<()> {
    let first = store.get(&key(id, 0))?;
    let length = first
        .as_deref()
        .and_then(head)
        .map_or(0, |(_, length)| length);
    let pieces = (length + HEAD).div_ceil(PIECE);
    for number in (0..pieces.max(1)).rev() {
        store.delete(&key(id, number))?;
    }
    Ok(())
}

/// Time and length, where they are there and can be.
fn head(bytes: &[u8]) -> Option<(u64, usize)> {
    let (time, rest) = bytes.split_first_chunk()?;
    let (length, _) = rest.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    (length <= LONGEST).then_some((u64::from_le_bytes(*time), length))
}
