//! Bytes for the parquet crate: a source that is read at many places in turn.

use std::{
    io::{BufRead, BufReader, Error, ErrorKind, Read, Seek, SeekFrom},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result},
    file::reader::{ChunkReader, Length},
};

/// Bytes of a page at most, packed or not: writers aim at 1 MiB.
pub(super) const MAX_PAGE: u64 = 128 << 20;

/// Bytes that are read at once to find the header of a page.
const HEADER: usize = 512;

/// A source that its readers share.
pub(super) struct File<R> {
    source: Arc<Mutex<R>>,
    size: u64,
}

impl<R> Clone for File<R> {
    fn clone(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            size: self.size,
        }
    }
}

impl<R: Read + Seek> File<R> {
    pub(super) fn new(mut source: R) -> std::io::Result<Self> {
        let size = source.seek(SeekFrom::End(0))?;
        Ok(Self {
            source: Arc::new(Mutex::new(source)),
            size,
        })
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// So many bytes, which must be in the source.
    pub(super) fn exact(&self, start: u64, length: usize) -> std::io::Result<Vec<u8>> {
        let inside = start
            .checked_add(length as u64)
            .is_some_and(|end| end <= self.size);
        if !inside {
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                "it is cut off, or points past its end",
            ));
        }
        let mut bytes = vec![0; length];
        let mut source = self.source.lock().map_err(|_| poisoned())?;
        source.seek(SeekFrom::Start(start))?;
        source.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn poisoned() -> Error {
    Error::other("a reader of it stopped")
}

impl<R: Read + Seek + Send> Length for File<R> {
    fn len(&self) -> u64 {
        self.size
    }
}

impl<R: Read + Seek + Send> ChunkReader for File<R> {
    type T = BufReader<At<R>>;

    /// Is asked for at the beginning of a page only, because the footer is read by ourselves.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let at = At {
            file: self.clone(),
            at: start,
        };
        let mut reader = BufReader::with_capacity(HEADER, at);
        check_page(reader.fill_buf()?)?;
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if length as u64 > MAX_PAGE {
            return Err(too_large(length as u64));
        }
        Ok(self.exact(start, length)?.into())
    }
}

fn too_large(size: u64) -> ParquetError {
    ParquetError::General(format!(
        "a page has {size} bytes, and at most {MAX_PAGE} are taken: write it with smaller pages"
    ))
}

/// Checks the size that a page says it unpacks to: the parquet crate reserves memory for it. A
/// page's header is a Thrift struct that begins with its type, its size and its packed size
/// (<https://github.com/apache/parquet-format>, `PageHeader`), each a compact 32-bit integer.
fn check_page(header: &[u8]) -> Result<()> {
    let broken = || ParquetError::General("the header of a page is damaged".to_owned());
    let (_, rest) = field(header).ok_or_else(broken)?;
    let (size, _) = field(rest).ok_or_else(broken)?;
    if size > MAX_PAGE {
        return Err(too_large(size));
    }
    Ok(())
}

/// The next field of a struct, if it is a 32-bit integer that is not negative.
fn field(bytes: &[u8]) -> Option<(u64, &[u8])> {
    /// A field one after the last, of type i32.
    const NEXT_I32: u8 = 0x15;
    let (&NEXT_I32, mut rest) = bytes.split_first()? else {
        return None;
    };
    let mut zigzag = 0;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        zigzag |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return (zigzag & 1 == 0).then_some((zigzag >> 1, rest));
        }
    }
    None
}

/// A reader from some place on.
pub(super) struct At<R> {
    file: File<R>,
    at: u64,
}

impl<R: Read + Seek> Read for At<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut source = self.file.source.lock().map_err(|_| poisoned())?;
        source.seek(SeekFrom::Start(self.at))?;
        let read = source.read(buffer)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_unpacks_to_too_much_is_refused() {
        // Type 0, then 3 bytes, then 2 bytes packed.
        assert!(check_page(&[0x15, 0, 0x15, 6, 0x15, 4, 0]).is_ok());
        let bomb = [0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 4, 0];
        let told = check_page(&bomb).unwrap_err().to_string();
        assert!(told.contains("smaller pages"), "{told}");
        // Negative sizes, other forms of a header, and what is cut off.
        assert!(check_page(&[0x15, 0, 0x15, 7, 0x15, 4]).is_err());
        assert!(check_page(&[0x05, 2, 0, 0x15, 6]).is_err());
        assert!(check_page(&[0x15, 0, 0x15, 0x80]).is_err());
        assert!(check_page(&[]).is_err());
    }
}
