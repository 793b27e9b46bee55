//! A blob's file in an encrypted store.
//!
//! ```text
//! magic: "septet" 00 01 │ prefix: 19 random bytes │ chunk 0 │ chunk 1 │ … │ last chunk
//! a chunk: ciphertext of 65,536 bytes (of the last one 0 to 65,536) ‖ tag of 16 bytes
//! ```
//!
//! It is the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár ("Online
//! Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015) over XChaCha20-Poly1305,
//! as the library `aead-stream` has it: a chunk's nonce is the prefix, its number (32 bits,
//! big-endian) and a byte that is 1 for the last chunk and 0 for the others. So a chunk opens
//! nowhere but at its place in its own file, and a file that was cut, lengthened or put together
//! does not open at all. The associated data are the magic: a later format is never taken for this.
//!
//! A blob's digest is known only when its last byte is, and is therefore not among the associated
//! data. Nothing is lost by that: who opens a blob compares the digest of what was decrypted with
//! the one asked for, so that a whole file under another's name is refused too. In exchange the
//! prefix is random: of 152 bits, so that no two files of a store ever share one.
//!
//! Any chunk can be opened alone. There is one file for one content: a last chunk is empty only
//! where the blob is.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    os::unix::fs::FileExt,
};

use aead_stream::{EncryptorBE32, Nonce, StreamBE32, StreamPrimitive};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, aead};

use super::encryption::SubKey;
use crate::store::key::fill;

const MAGIC: [u8; 8] = *b"septet\0\x01";
const PREFIX: usize = 19;
const HEADER: usize = MAGIC.len() + PREFIX;
const CHUNK: usize = 64 << 10;
const TAG: usize = 16;

type Prefix = Nonce<XChaCha20Poly1305, StreamBE32<XChaCha20Poly1305>>;

/// Why bytes can't be had.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The machine's fault.
    Io(io::Error),
    /// The file is not as it was written, or was not written with this key.
    Damaged,
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Files are only ever cut from outside.
            ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Io(error),
        }
    }
}

impl From<aead::Error> for Unreadable {
    fn from(_: aead::Error) -> Self {
        Self::Damaged
    }
}

/// Encrypts a blob while it is written. One chunk at most is held back.
pub(super) struct Sealer {
    /// Counts the chunks, and refuses one past the last number rather than to use a nonce again.
    stream: EncryptorBE32<XChaCha20Poly1305>,
    chunk: Vec<u8>,
}

impl Sealer {
    /// Begins a file.
    pub(super) fn begin(key: &SubKey, file: &mut impl Write) -> io::Result<Self> {
        let mut prefix = Prefix::default();
        fill(&mut prefix).map_err(io::Error::other)?;
        file.write_all(&MAGIC)?;
        file.write_all(&prefix)?;
        Ok(Self {
            stream: EncryptorBE32::from_aead(cipher(key), &prefix),
            chunk: Vec::with_capacity(CHUNK + TAG),
        })
    }

    /// Adds bytes at the end.
    pub(super) fn write(&mut self, file: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            // A full chunk waits for a byte after it: without one it is the last.
            if self.chunk.len() == CHUNK {
                let sealed = self.stream.encrypt_next_in_place(&MAGIC, &mut self.chunk);
                sealed.map_err(|_| too_large())?;
                file.write_all(&self.chunk)?;
                self.chunk.clear();
            }
            let fits = bytes.len().min(CHUNK - self.chunk.len());
            let (now, later) = bytes.split_at(fits);
            self.chunk.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Writes the last chunk.
    pub(super) fn finish(mut self, file: &mut impl Write) -> io::Result<()> {
        let sealed = self.stream.encrypt_last_in_place(&MAGIC, &mut self.chunk);
        sealed.map_err(|_| too_large())?;
        file.write_all(&self.chunk)
    }
}

/// An open file. Its size is that of its plaintext.
pub(super) struct Sealed {
    file: File,
    stream: StreamBE32<XChaCha20Poly1305>,
    /// At least one.
    chunks: u32,
    size: u64,
}

impl Sealed {
    /// Reads the file's head. Its chunks are checked when they are read.
    pub(super) fn open(key: &SubKey, file: File) -> Result<Self, Unreadable> {
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let (magic, prefix) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(Unreadable::Damaged);
        }
        let prefix = Prefix::try_from(prefix).map_err(|_| Unreadable::Damaged)?;
        let length = file.metadata()?.len();
        let (chunks, size) = shape(length).ok_or(Unreadable::Damaged)?;
        Ok(Self {
            file,
            stream: aead_stream::NewStream::from_aead(cipher(key), &prefix),
            chunks,
            size,
        })
    }

    /// The file itself.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Fills `bytes` from `offset` of the plaintext, and says how many there were: fewer only at
    /// the end. Only the chunks that hold them are read.
    pub(super) fn read_at(&self, mut bytes: &mut [u8], offset: u64) -> Result<usize, Unreadable> {
        let wanted = self.size.saturating_sub(offset).min(bytes.len() as u64) as usize;
        let mut chunk = Vec::new();
        let mut done = 0;
        while done < wanted {
            let at = offset + done as u64;
            // It fits: `at` is within the size, whose chunks were counted in 32 bits.
            self.chunk((at / CHUNK as u64) as u32, &mut chunk)?;
            let from = (at % CHUNK as u64) as usize;
            let found = chunk.get(from..).ok_or(Unreadable::Damaged)?;
            let fits = found.len().min(wanted - done);
            let (now, later) = bytes.split_at_mut(fits);
            now.copy_from_slice(found.get(..fits).ok_or(Unreadable::Damaged)?);
            bytes = later;
            done += fits;
        }
        Ok(done)
    }

    /// Decrypts a chunk into `chunk`.
    fn chunk(&self, number: u32, chunk: &mut Vec<u8>) -> Result<(), Unreadable> {
        let last = number + 1 == self.chunks;
        let begin = u64::from(number) * CHUNK as u64;
        let length = (self.size - begin).min(CHUNK as u64) as usize + TAG;
        chunk.resize(length, 0);
        let place = HEADER as u64 + u64::from(number) * (CHUNK + TAG) as u64;
        self.file.read_exact_at(chunk, place)?;
        let opened = self.stream.decrypt_in_place(number, last, &MAGIC, chunk);
        Ok(opened?)
    }

    /// Whether the file is that of an empty blob: a chunk that no read would look at.
    pub(super) fn check_empty(&self) -> Result<(), Unreadable> {
        if self.size == 0 {
            self.chunk(0, &mut Vec::new())?;
        }
        Ok(())
    }
}

fn cipher(key: &SubKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}

/// How many chunks a file of `length` bytes has, and how many bytes of plaintext; none where no
/// file that was written whole has that length.
fn shape(length: u64) -> Option<(u32, u64)> {
    let body = length.checked_sub(HEADER as u64)?;
    let chunks = body.div_ceil((CHUNK + TAG) as u64);
    let size = body.checked_sub(chunks.checked_mul(TAG as u64)?)?;
    // As many as so many bytes are cut into: an empty chunk behind others is not.
    let fits = chunks == size.div_ceil(CHUNK as u64).max(1);
    Some((u32::try_from(chunks).ok().filter(|_| fits)?, size))
}

fn too_large() -> io::Error {
    io::Error::new(
        ErrorKind::FileTooLarge,
        "the blob has more chunks than can be encrypted under one prefix",
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn key() -> SubKey {
        SubKey::new([3; 32])
    }

    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    /// The file of `plain`, written in pieces of at most `piece` bytes.
    fn sealed(plain: &[u8], piece: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        let mut sealer = Sealer::begin(&key(), &mut file).unwrap();
        for piece in plain.chunks(piece) {
            sealer.write(&mut file, piece).unwrap();
        }
        sealer.finish(&mut file).unwrap();
        file
    }

    /// All that `file` holds, if it holds what was written.
    fn opened(file: File, key: &SubKey) -> Option<Vec<u8>> {
        let sealed = Sealed::open(key, file).ok()?;
        sealed.check_empty().ok()?;
        let mut plain = vec![0; sealed.size as usize];
        let read = sealed.read_at(&mut plain, 0).ok()?;
        (read == plain.len()).then_some(plain)
    }

    /// Around every bound a size can have, and any other.
    fn size() -> impl Strategy<Value = usize> {
        let near = (0..4_usize, 0..5_usize)
            .prop_map(|(chunks, off)| (chunks * CHUNK + off).saturating_sub(2));
        prop_oneof![2 => near, 1 => 0..4 * CHUNK]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_part_reads_as_it_was_written(
            size in size(),
            piece in prop_oneof![1..200_000_usize, Just(CHUNK)],
            ranges in prop::collection::vec((0..300_000_u64, 0..200_000_usize), 1..6),
        ) {
            let plain = content(size);
            let file = sealed(&plain, piece);
            prop_assert_eq!(
                file.metadata().unwrap().len() as usize,
                HEADER + size + TAG * size.div_ceil(CHUNK).max(1)
            );
            let sealed = Sealed::open(&key(), file).unwrap();
            prop_assert_eq!(sealed.size, size as u64);
            for (offset, length) in ranges {
                let mut bytes = vec![0; length];
                let read = sealed.read_at(&mut bytes, offset).unwrap();
                let from = (offset as usize).min(size);
                prop_assert_eq!(&bytes[..read], &plain[from..(from + length).min(size)]);
            }
        }

        #[test]
        fn nothing_opens_that_was_changed(
            size in size(),
            at in any::<prop::sample::Index>(),
            change in 0..3_u8,
        ) {
            let mut bytes = Vec::new();
            let mut file = sealed(&content(size), CHUNK);
            io::Seek::rewind(&mut file).unwrap();
            file.read_to_end(&mut bytes).unwrap();
            match change {
                0 => bytes[at.index(size + HEADER + TAG)] ^= 0x10,
                1 => bytes.truncate(at.index(bytes.len())),
                _ => bytes.extend_from_within(..=at.index(bytes.len())),
            }
            let mut changed = tempfile::tempfile().unwrap();
            changed.write_all(&bytes).unwrap();
            prop_assert_eq!(opened(changed, &key()), None);
        }
    }

    #[test]
    fn another_key_opens_nothing() {
        for size in [0, 1, CHUNK, CHUNK + 1] {
            let other = SubKey::new([4; 32]);
            assert_eq!(opened(sealed(&content(size), CHUNK), &other), None);
            let whole = opened(sealed(&content(size), CHUNK), &key());
            assert_eq!(whole, Some(content(size)));
        }
    }

    #[test]
    fn only_lengths_of_whole_files_are_taken() {
        let head = (HEADER + TAG) as u64;
        assert_eq!(shape(head - 1), None);
        assert_eq!(shape(head), Some((1, 0)));
        let full = head + CHUNK as u64;
        assert_eq!(shape(full), Some((1, CHUNK as u64)));
        // A second chunk has a byte besides its tag.
        for more in 1..=TAG as u64 {
            assert_eq!(shape(full + more), None);
        }
        assert_eq!(shape(full + TAG as u64 + 1), Some((2, CHUNK as u64 + 1)));
        assert_eq!(shape(0), None);
        assert_eq!(shape(u64::MAX), None);
    }
}
