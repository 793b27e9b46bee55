//! What is in a blob's file: its bytes as they are, or sealed. The only place that tells the two
//! apart; a store has one kind alone, which its database says, never the file.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    os::unix::fs::FileExt,
};

use sha2::{Digest as _, Sha256};

use super::{
    encryption::SubKey,
    sealed_file::{Sealed, Sealer, Unreadable},
};
use crate::contract::Digest;

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// How a store keeps its blobs.
pub(super) enum Form {
    /// As they are.
    Plain,
    /// Encrypted with this key.
    Sealed(SubKey),
}

impl Form {
    /// Begins a file.
    pub(super) fn begin(&self, file: &mut impl Write) -> io::Result<Encoder> {
        Ok(match self {
            Self::Plain => Encoder::Plain,
            Self::Sealed(key) => Encoder::Sealed(Sealer::begin(key, file)?),
        })
    }

    /// Opens a file that was finished.
    pub(super) fn open(&self, file: File) -> Result<Content, Unreadable> {
        Ok(match self {
            Self::Plain => Content::Plain(file),
            Self::Sealed(key) => Content::Sealed(Sealed::open(key, file)?),
        })
    }
}

/// What turns bytes into those of the file.
pub(super) enum Encoder {
    /// Nothing.
    Plain,
    /// Encryption.
    Sealed(Sealer),
}

impl Encoder {
    /// Adds bytes at the end.
    pub(super) fn write(&mut self, file: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain => file.write_all(bytes),
            Self::Sealed(sealer) => sealer.write(file, bytes),
        }
    }

    /// Ends the file.
    pub(super) fn finish(self, file: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Plain => Ok(()),
            Self::Sealed(sealer) => sealer.finish(file),
        }
    }
}

/// An open file.
pub(super) enum Content {
    /// Of bytes as they are.
    Plain(File),
    /// Of encrypted bytes.
    Sealed(Sealed),
}

impl Content {
    /// The file itself.
    pub(super) const fn file(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Sealed(sealed) => sealed.file(),
        }
    }

    /// Reads all of it: how many bytes there are, and their digest.
    pub(super) fn digest(&self) -> Result<(u64, Digest), Unreadable> {
        if let Self::Sealed(sealed) = self {
            sealed.check_empty()?;
        }
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut size = 0;
        loop {
            let length = self.read_at(&mut piece, size)?;
            if length == 0 {
                break;
            }
            hasher.update(piece.get(..length).unwrap_or_default());
            size += length as u64;
        }
        Ok((size, Digest::from_bytes(hasher.finalize().into())))
    }

    /// Fills `bytes` from `offset`; it is an error that there are fewer.
    pub(super) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> Result<(), Unreadable> {
        match self {
            Self::Plain(file) => Ok(file.read_exact_at(bytes, offset)?),
            Self::Sealed(sealed) if sealed.read_at(bytes, offset)? == bytes.len() => Ok(()),
            Self::Sealed(_) => Err(Unreadable::Damaged),
        }
    }

    /// At least one byte from `offset`, where there is one; how many.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize, Unreadable> {
        match self {
            Self::Plain(file) => loop {
                match file.read_at(bytes, offset) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    read => return Ok(read?),
                }
            },
            Self::Sealed(sealed) => sealed.read_at(bytes, offset),
        }
    }
}
