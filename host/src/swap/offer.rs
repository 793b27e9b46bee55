//! What is sent to be swapped in.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, ensure};

use super::beside::beside;

/// A component that somebody offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its bytes; where it is too large, only the beginning.
    pub bytes: Vec<u8>,
    /// How many it has.
    pub size: u64,
    /// The text of its `.minisig`, if there is one.
    pub signature: Option<String>,
}

impl Offer {
    /// These bytes.
    pub const fn new(bytes: Vec<u8>, signature: Option<String>) -> Self {
        let size = bytes.len() as u64;
        Self {
            bytes,
            size,
            signature,
        }
    }

    /// A file, of which at most `most` bytes are read, and the signature beside it.
    pub fn of_file(path: &Path, most: u64) -> anyhow::Result<Self> {
        let shown = path.display();
        let unreadable = || format!("{shown} can't be read");
        let metadata = std::fs::metadata(path).with_context(unreadable)?;
        // To open a pipe would wait for whoever writes into it.
        ensure!(metadata.is_file(), "{shown} is no file: name a component");
        let mut bytes = Vec::new();
        let file = File::open(path).with_context(unreadable)?;
        let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
        let read = read.with_context(unreadable)? as u64;
        let size = if read > most {
            metadata.len().max(read)
        } else {
            read
        };
        Ok(Self {
            bytes,
            size,
            signature: beside(path)?,
        })
    }
}
