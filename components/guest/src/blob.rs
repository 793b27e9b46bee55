//! Blobs as `std::io` readers and writers.
//!
//! Bytes cross the component's border in large pieces; the kit's readers ask for small ones.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};

use crate::{
    Artifact,
    bindings::septet::capability::{blob_read, blob_write},
    fault::of_blob,
};

/// Bytes that cross the border at once.
const PIECE: usize = 1 << 20;

/// An input, from its first byte.
pub struct BlobReader {
    inner: blob_read::Reader,
    name: String,
    size: u64,
    at: u64,
    piece: Vec<u8>,
    piece_at: u64,
}

impl BlobReader {
    /// Opens an input.
    pub fn open(artifact: &Artifact) -> std::result::Result<Self, String> {
        let inner = blob_read::Reader::open(&artifact.digest)
            .map_err(|error| of_blob(&format!("open '{}'", artifact.name), error).to_string())?;
        let size = inner.info().size;
        Ok(Self {
            inner,
            name: artifact.name.clone(),
            size,
            at: 0,
            piece: Vec::new(),
            piece_at: 0,
        })
    }

    /// Bytes of the whole blob.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The whole blob, if it is not longer than `limit` bytes.
    pub fn all(mut self, limit: u64) -> std::result::Result<Vec<u8>, String> {
        if self.size > limit {
            return Err(format!(
                "'{}' has {} bytes: at most {limit} are taken",
                self.name, self.size
            ));
        }
        self.at = 0;
        let mut bytes = Vec::with_capacity(self.size as usize);
        self.read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    /// The part of the current piece from the position on; empty where a new piece is needed.
    fn rest(&self) -> &[u8] {
        self.at
            .checked_sub(self.piece_at)
            .and_then(|skip| self.piece.get(usize::try_from(skip).ok()?..))
            .unwrap_or_default()
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if buffer.is_empty() || self.at >= self.size {
            return Ok(0);
        }
        if self.rest().is_empty() {
            // The old piece goes before the new one comes: two would be one too many.
            self.piece = Vec::new();
            self.piece = self
                .inner
                .read(self.at, PIECE as u32)
                .map_err(|error| of_blob(&format!("read '{}'", self.name), error))?;
            self.piece_at = self.at;
            if self.piece.is_empty() {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    format!("'{}' ended before its size", self.name),
                ));
            }
        }
        let mut rest = self.rest();
        let read = rest.read(buffer)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("a seek before the start of '{}'", self.name),
            )
        })?;
        Ok(self.at)
    }
}

/// An output. It leaves nothing behind unless it is finished.
pub struct BlobWriter {
    inner: blob_write::Writer,
    piece: Vec<u8>,
}

impl BlobWriter {
    /// Begins an output.
    pub fn create(media_type: &str) -> std::result::Result<Self, String> {
        let inner = blob_write::Writer::create(media_type)
            .map_err(|error| of_blob("begin an output", error).to_string())?;
        Ok(Self {
            inner,
            piece: Vec::new(),
        })
    }

    /// Ends the output and gives it its name.
    pub fn finish(mut self, name: &str) -> std::result::Result<Artifact, String> {
        self.flush().map_err(|error| error.to_string())?;
        let info = self
            .inner
            .finish()
            .map_err(|error| of_blob(&format!("finish '{name}'"), error).to_string())?;
        Ok(Artifact {
            name: name.to_owned(),
            digest: info.digest,
            size: info.size,
            media_type: info.media_type,
        })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let room = PIECE.saturating_sub(self.piece.len());
        let now = bytes.get(..room).unwrap_or(bytes);
        self.piece.extend_from_slice(now);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(now.len())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.piece.is_empty() {
            self.inner
                .write(&self.piece)
                .map_err(|error| of_blob("write an output", error))?;
            self.piece.clear();
        }
        Ok(())
    }
}

/// A whole output.
pub fn put(name: &str, media_type: &str, bytes: &[u8]) -> std::result::Result<Artifact, String> {
    let mut writer = BlobWriter::create(media_type)?;
    writer.write_all(bytes).map_err(|error| error.to_string())?;
    writer.finish(name)
}
