//! The bytes of an output as a file, read piece by piece, for readers that wait.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};

use tokio::runtime::Handle;

use crate::{
    contract::Artifact,
    store::{BlobError, BlobReader, Blobs},
};

/// Bytes that are asked for at a time.
const PIECE: u32 = 1 << 20;

/// An output, from its first byte on. It is to be read on a thread that may wait.
pub(super) struct File {
    blob: Box<dyn BlobReader>,
    handle: Handle,
    at: u64,
    piece: Vec<u8>,
    piece_at: u64,
}

impl File {
    /// Opens an output; the runtime that it is read on is this one.
    pub(super) async fn open(
        artifact: &Artifact,
        blobs: &dyn Blobs,
    ) -> std::result::Result<Self, BlobError> {
        Ok(Self {
            blob: blobs.open(&artifact.digest).await?,
            handle: Handle::current(),
            at: 0,
            piece: Vec::new(),
            piece_at: 0,
        })
    }

    fn rest(&self) -> &[u8] {
        let skip = self.at.checked_sub(self.piece_at);
        let skip = skip.and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.piece.get(skip..))
            .unwrap_or_default()
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if buffer.is_empty() || self.at >= self.blob.size() {
            return Ok(0);
        }
        if self.rest().is_empty() {
            let piece = self.handle.block_on(self.blob.read(self.at, PIECE));
            self.piece = piece.map_err(Error::other)?;
            self.piece_at = self.at;
            if self.piece.is_empty() {
                return Err(Error::new(ErrorKind::UnexpectedEof, "it ends too early"));
            }
        }
        let read = self.rest().read(buffer)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.blob.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let before = || Error::new(ErrorKind::InvalidInput, "a seek before the start");
        self.at = at.ok_or_else(before)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contract::Digest, store::memory};

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_read_piece_by_piece_from_anywhere() {
        let bytes: Vec<u8> = (0..3 * PIECE).map(|n| (n % 251) as u8).collect();
        let blobs = memory().blobs;
        let artifact = Artifact {
            name: "table".to_owned(),
            digest: blobs.put(&bytes).await.unwrap(),
            size: bytes.len() as u64,
            media_type: String::new(),
        };
        let mut file = File::open(&artifact, blobs.as_ref()).await.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            file.read_to_end(&mut all).unwrap();
            assert_eq!(
                file.seek(SeekFrom::End(-5)).unwrap(),
                3 * u64::from(PIECE) - 5
            );
            let mut end = Vec::new();
            file.read_to_end(&mut end).unwrap();
            assert!(file.seek(SeekFrom::Current(-1 << 40)).is_err());
            assert_eq!(file.seek(SeekFrom::Start(1 << 40)).unwrap(), 1 << 40);
            assert_eq!(file.read(&mut [0; 9]).unwrap(), 0);
            (all, end)
        });
        let (all, end) = read.await.unwrap();
        assert!(all == bytes && end == bytes[bytes.len() - 5..]);
        let gone = Artifact {
            digest: Digest::of(b"gone"),
            ..artifact
        };
        assert!(File::open(&gone, blobs.as_ref()).await.is_err());
    }
}
