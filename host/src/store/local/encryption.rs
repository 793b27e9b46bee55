//! Whether a store is encrypted, with which key, and the keys that are made of it.
//!
//! The table `meta` of an encrypted store holds `encryption`, the version of all its formats; `salt`,
//! which makes two stores of one key differ; and `key-check`, by which another key is told before
//! anything is read. This module must not encrypt anything itself: `seal` and `sealed_file` do.

use std::path::Path;

use hkdf::Hkdf;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::schema::Unfit;
use crate::store::{StoreKey, key::fill};

/// Written into `encryption`: the formats of blobs, messages and records, and how their keys are
/// made.
const FORMAT: &[u8] = b"1";

const SALT_BYTES: usize = 32;

/// A key for one kind of data.
pub(super) type SubKey = Zeroizing<[u8; 32]>;

/// The keys of an encrypted store: one for each kind of data, so that what is sealed as one kind is
/// never opened as another.
pub(super) struct Keys {
    /// For blobs' files.
    pub(super) blobs: SubKey,
    /// For the bodies of messages.
    pub(super) messages: SubKey,
    /// For the values of records.
    pub(super) records: SubKey,
    /// Kept in the store in the clear. It says nothing about the others: each is an output of HKDF
    /// under a label of its own.
    check: SubKey,
}

impl Keys {
    fn new(key: &StoreKey, salt: &[u8]) -> Result<Self, Unfit> {
        let hkdf = Hkdf::<Sha256>::new(Some(salt), key.bytes());
        let derived = |label: &str| {
            let mut derived = SubKey::default();
            let label = format!("septet store 1: {label}");
            // Only a far longer output is refused.
            let expanded = hkdf.expand(label.as_bytes(), derived.as_mut());
            expanded.map_err(|_| Unfit::Refused("a key of the store can't be derived".into()))?;
            Ok::<_, Unfit>(derived)
        };
        Ok(Self {
            blobs: derived("blobs")?,
            messages: derived("messages")?,
            records: derived("records")?,
            check: derived("check")?,
        })
    }
}

/// Makes a store that is new an encrypted one, where there is a key.
pub(super) fn establish(
    connection: &Connection,
    key: Option<&StoreKey>,
) -> Result<Option<Keys>, Unfit> {
    let Some(key) = key else { return Ok(None) };
    let mut salt = [0; SALT_BYTES];
    fill(&mut salt).map_err(|error| Unfit::Refused(error.to_string()))?;
    let keys = Keys::new(key, &salt)?;
    let values: [(&str, &[u8]); 3] = [
        ("encryption", FORMAT),
        ("salt", &salt),
        ("key-check", keys.check.as_slice()),
    ];
    for (name, value) in values {
        connection.execute(
            "INSERT INTO meta (name, value) VALUES (?1, ?2)",
            params![name, value],
        )?;
    }
    Ok(Some(keys))
}

/// The keys of the store; none where it is not encrypted. A store and a key that do not belong
/// together are refused: nothing may be written in the clear by who means it to be encrypted, and
/// nothing is read as what it is not.
pub(super) fn unlock(
    connection: &Connection,
    folder: &Path,
    key: Option<&StoreKey>,
) -> Result<Option<Keys>, Unfit> {
    let shown = folder.display();
    let Some(format) = value(connection, "encryption")? else {
        return refuse_plain(folder, key).map(|()| None);
    };
    let Some(key) = key else {
        return Err(Unfit::Refused(format!(
            "the store {shown} is encrypted, and no key is set: set SEPTET_STORE_KEY, \
             SEPTET_STORE_KEY_FILE, or key_file under [encryption] in septet.toml"
        )));
    };
    if format != FORMAT {
        return Err(Unfit::Refused(format!(
            "the store {shown} was encrypted by a newer septet: use that septet, or name another \
             store with --store"
        )));
    }
    let (salt, check) = (value(connection, "salt")?, value(connection, "key-check")?);
    let (Some(salt), Some(check)) = (salt, check) else {
        return Err(Unfit::Refused(format!(
            "the store {shown} is damaged: what its key is checked by is missing; restore it from \
             a copy, or name another store with --store"
        )));
    };
    let keys = Keys::new(key, &salt)?;
    // What it is compared with stands in the file: how long the comparison takes tells nothing.
    if check != keys.check.as_slice() {
        return Err(Unfit::Refused(format!(
            "the store {shown} was encrypted with another key than the one that is set: set its \
             own, or name another store with --store"
        )));
    }
    Ok(Some(keys))
}

/// Refuses a key for a store that is not encrypted.
pub(super) fn refuse_plain(folder: &Path, key: Option<&StoreKey>) -> Result<(), Unfit> {
    match key {
        None => Ok(()),
        Some(_) => Err(Unfit::Refused(format!(
            "the store {} is not encrypted, but a key is set: name a new store with --store, which \
             will be encrypted, or take the key away to use this one as it is",
            folder.display()
        ))),
    }
}

fn value(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let found = connection.query_row(sql, [name], |row| row.get(0));
    found.optional()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HKDF-SHA-256 as RFC 5869 has it, written out over HMAC, so that a change of labels, or of
    /// the library, that makes old stores unreadable is seen.
    #[test]
    fn the_keys_are_those_of_the_rfc() {
        use sha2::Digest as _;
        fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
            let padded = |with: u8| {
                let mut block = [with; 64];
                for (byte, key) in block.iter_mut().zip(key) {
                    *byte ^= key;
                }
                block
            };
            let mut inner = Sha256::new_with_prefix(padded(0x36));
            for part in parts {
                inner.update(part);
            }
            let outer = Sha256::new_with_prefix(padded(0x5c));
            outer.chain_update(inner.finalize()).finalize().into()
        }
        let (key, salt) = ([7; 32], [9; 32]);
        let text = hex::encode(key);
        let keys = Keys::new(&StoreKey::parse(&text).unwrap(), &salt).unwrap();
        let extracted = hmac(&salt, &[&key]);
        for (label, derived) in [
            ("blobs", &keys.blobs),
            ("messages", &keys.messages),
            ("records", &keys.records),
            ("check", &keys.check),
        ] {
            let info = format!("septet store 1: {label}");
            let expected = hmac(&extracted, &[info.as_bytes(), &[1]]);
            assert_eq!(**derived, expected, "{label}");
        }
    }
}
