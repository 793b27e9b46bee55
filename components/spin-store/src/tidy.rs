//! What calls that were broken off have left.
//!
//! Nothing of it is ever seen: values, pieces and ends of messages that nothing names. It only takes
//! room. A call that is still going on may have written what it names a moment later, so that only
//! what is older than any call lasts is taken away.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use septet_core::store::millis;

use crate::{
    Id,
    cell::Cells,
    message::{self, Card},
    records, shelf, value,
};

/// How old the left-overs are that are taken away: older than any call or upload lasts.
pub const GRACE: Duration = Duration::from_hours(24);

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Values of records and heads of blobs.
    pub values: u64,
    /// Uploads of blobs.
    pub uploads: u64,
    /// Ends of messages.
    pub messages: u64,
}

/// Takes away what is older than `grace` and named by nothing. Every cell is read.
pub(crate) fn tidy(cells: &Cells, grace: Duration) -> anyhow::Result<Tidied> {
    let store = cells.store.as_ref();
    let old = cells.clock.now().saturating_sub(millis(grace));
    // Listed before the cells are read: what comes to be named after that is young.
    let keys = store.keys()?;
    let (mut named, mut uploads) = (BTreeSet::new(), BTreeSet::new());
    for key in &keys {
        if key.starts_with(records::PREFIX) {
            let id = store.get(key)?.as_deref().and_then(Id::read);
            named.extend(id.map(|id| id.to_string()));
        } else if key.starts_with(shelf::HEADS)
            && let Some(held) = cells.read(key)?
        {
            named.insert(held.id.to_string());
            uploads.insert(shelf::upload_of(key, &held.value)?);
        }
    }
    let mut tidied = Tidied::default();
    let mut pieces: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for key in &keys {
        if let Some(id) = key.strip_prefix(value::PREFIX) {
            // The others of its pieces are found by the first.
            let Some(id) = Id::parse(id).filter(|id| !named.contains(&id.to_string())) else {
                continue;
            };
            let written = store.get(key)?.as_deref().and_then(value::written);
            if written.is_some_and(|written| written < old) {
                value::delete(store, id)?;
                tidied.values += 1;
            }
        } else if let Some(piece) = key.strip_prefix(shelf::PIECES) {
            let upload = piece.split(':').next().unwrap_or_default();
            if !uploads.contains(upload) && shelf::begun(upload).is_some_and(|begun| begun < old) {
                pieces.entry(upload).or_default().push(key);
            }
        } else if key.starts_with(message::PREFIX)
            && let Some(bytes) = store.get(key)?
        {
            let state = Card::read(key, &bytes)?.state;
            if state.gone && state.since < old {
                store.delete(key)?;
                tidied.messages += 1;
            }
        }
    }
    for keys in pieces.values() {
        for key in keys {
            store.delete(key)?;
        }
        tidied.uploads += 1;
    }
    Ok(tidied)
}
