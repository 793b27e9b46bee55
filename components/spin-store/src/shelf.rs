//! Blobs by their digests: pieces under an upload's own name, and a head that is written last.
//!
//! The head is a [cell](crate::cell), so that a blob is deleted only as it was seen. Its pieces belong
//! to one upload: who writes a blob again while another deletes it writes pieces of their own.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use septet_core::{
    contract::Digest,
    store::{BlobError, Clock, Listed},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Id, KeyValue, PIECE,
    cell::{Cells, Filled},
};

/// The largest blob: who opens one has it in memory as a whole.
pub const MAX_BLOB: u64 = 256 << 20;

/// The longest media type, in bytes.
pub const MAX_MEDIA_TYPE: usize = 255;

/// Heads' keys begin so.
pub(crate) const HEADS: &str = "b:";

/// Pieces' keys begin so.
pub(crate) const PIECES: &str = "p:";

/// How often others may be faster at one blob before a call fails.
const ROUNDS: usize = 32;

/// What is known of a blob without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Head {
    /// Bytes of the blob.
    pub size: u64,
    /// What its first writer said that it is; may be empty.
    #[serde(default)]
    pub media_type: String,
    /// When it was last written or touched: milliseconds since 1970, UTC.
    pub used: u64,
    /// Whose pieces these are.
    pub(crate) upload: String,
    /// Bytes of each piece but the last.
    piece: u64,
}

impl Head {
    fn pieces(&self) -> u64 {
        self.size.div_ceil(self.piece.max(1))
    }
}

/// The blobs of a key-value store, for callers that cannot wait in the background.
pub struct Shelf {
    cells: Arc<Cells>,
}

impl Shelf {
    /// The blobs of `store`.
    pub fn new(store: Arc<dyn KeyValue>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Arc::new(Cells::new(store, clock)))
    }

    pub(crate) const fn over(cells: Arc<Cells>) -> Self {
        Self { cells }
    }

    /// Begins a blob. Nothing is seen of it before [`Upload::finish`].
    pub fn begin(&self, media_type: &str) -> anyhow::Result<Upload> {
        ensure!(
            media_type.len() <= MAX_MEDIA_TYPE,
            "a media type has at most {MAX_MEDIA_TYPE} bytes"
        );
        Ok(Upload {
            cells: Arc::clone(&self.cells),
            media_type: media_type.to_owned(),
            name: format!("{:x}.{}", self.cells.clock.now(), Id::fresh()),
            written: 0,
            waiting: Vec::new(),
            hash: Sha256::new(),
            size: 0,
            kept: false,
        })
    }

    /// What is known of a blob; none where there is no such blob.
    pub fn head(&self, digest: &Digest) -> anyhow::Result<Option<Head>> {
        let held = self.cells.read(&key(digest))?;
        held.map(|held| head(digest, &held.value)).transpose()
    }

    /// A blob and its bytes, checked against its digest.
    pub fn read(&self, digest: &Digest) -> Result<(Head, Vec<u8>), BlobError> {
        let mut before = None;
        for _ in 0..ROUNDS {
            let head = self.head(digest)?.ok_or(BlobError::Missing(*digest))?;
            if let Some(bytes) = self.pieces(&head)?
                && Digest::of(&bytes) == *digest
            {
                return Ok((head, bytes));
            }
            // It was deleted while it was read, and made again by another upload, or it is damaged.
            if before.as_ref() == Some(&head.upload) {
                return Err(BlobError::Corrupt {
                    digest: *digest,
                    place: format!("{PIECES}{}: of the key-value store", head.upload),
                });
            }
            before = Some(head.upload);
        }
        let error = anyhow::anyhow!("blob {digest} is made and deleted by others again and again");
        Err(BlobError::Backend(error))
    }

    /// The bytes; none where a piece is missing or has another length than it must.
    fn pieces(&self, head: &Head) -> anyhow::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::with_capacity(head.size as usize);
        for number in 0..head.pieces() {
            let left = head.size - bytes.len() as u64;
            match self.cells.store.get(&piece(&head.upload, number))? {
                Some(piece) if piece.len() as u64 == left.min(head.piece) => {
                    bytes.extend_from_slice(&piece);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(bytes))
    }

    /// Marks a blob as used now and tells its size; none where there is no such blob.
    pub fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        let key = key(digest);
        for _ in 0..ROUNDS {
            let Some(held) = self.cells.read(&key)? else {
                return Ok(None);
            };
            let mut head = head(digest, &held.value)?;
            head.used = self.cells.clock.now();
            let value = serde_json::to_vec(&head)?;
            if self.cells.replace(&key, held.id, &value)?.is_some() {
                return Ok(Some(head.size));
            }
        }
        bail!("blob {digest} is used by others again and again")
    }

    /// Blobs in order of their digests, after `after`; at most `limit`. All keys of the store are
    /// looked at, and the heads of these.
    pub fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>> {
        let keys = self.cells.store.keys()?;
        let digests = keys
            .iter()
            .filter_map(|key| key.strip_prefix(HEADS)?.parse().ok());
        let mut digests: Vec<Digest> = digests
            .filter(|digest| after.is_none_or(|after| digest > after))
            .collect();
        digests.sort_unstable();
        let mut listed = Vec::new();
        for digest in digests {
            if listed.len() >= limit {
                break;
            }
            // One that was deleted has a key, and nothing in it.
            if let Some(held) = self.cells.read(&key(&digest))? {
                let head = head(&digest, &held.value)?;
                listed.push(Listed {
                    digest,
                    size: head.size,
                    used: head.used,
                    mark: held.id.to_string(),
                });
            }
        }
        Ok(listed)
    }

    /// Deletes the blob if it was neither written nor touched since it was listed.
    pub fn remove(&self, listed: &Listed) -> anyhow::Result<bool> {
        let key = key(&listed.digest);
        let Some(held) = self.cells.read(&key)? else {
            return Ok(false);
        };
        if held.id.to_string() != listed.mark || !self.cells.empty(&key, held.id)? {
            return Ok(false);
        }
        // Nobody finds them any more. What is left where this is broken off is swept in time.
        let head = head(&listed.digest, &held.value)?;
        for number in (0..head.pieces()).rev() {
            self.cells.store.delete(&piece(&head.upload, number))?;
        }
        Ok(true)
    }
}

/// A blob being written. Nothing is left of it when it is dropped before its end.
pub struct Upload {
    cells: Arc<Cells>,
    media_type: String,
    name: String,
    /// Pieces that are in the store.
    written: u64,
    waiting: Vec<u8>,
    hash: Sha256,
    size: u64,
    kept: bool,
}

impl Upload {
    /// Adds bytes at the end.
    pub fn write(&mut self, mut bytes: &[u8]) -> anyhow::Result<()> {
        self.size += bytes.len() as u64;
        ensure!(
            self.size <= MAX_BLOB,
            "a blob has at most {MAX_BLOB} bytes in a key-value store"
        );
        self.hash.update(bytes);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
            if self.waiting.len() == PIECE {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Bytes so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        // Counted before it is written: what came of a write that failed is not known.
        self.written += 1;
        let key = piece(&self.name, self.written - 1);
        self.cells.store.set(&key, &self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    /// Makes the blob, unless there is one of the same content: that is marked as used now.
    pub fn finish(mut self) -> anyhow::Result<(Digest, Head)> {
        if !self.waiting.is_empty() {
            self.flush()?;
        }
        let digest = Digest::from_bytes(self.hash.clone().finalize().into());
        let head = Head {
            size: self.size,
            media_type: std::mem::take(&mut self.media_type),
            used: self.cells.clock.now(),
            upload: self.name.clone(),
            piece: PIECE as u64,
        };
        let value = serde_json::to_vec(&head)?;
        let shelf = Shelf::over(Arc::clone(&self.cells));
        for _ in 0..ROUNDS {
            // Where it fails it is not known what came of it: then the pieces are left.
            self.kept = true;
            match self.cells.fill(&key(&digest), &value)? {
                Filled::New => return Ok((digest, head)),
                Filled::Exists(held) => {
                    self.kept = false;
                    let there = self::head(&digest, &held.value)?;
                    if there.upload == head.upload {
                        // An earlier round was seen to fail, and landed all the same.
                        self.kept = true;
                        return Ok((digest, there));
                    }
                    // None where it was deleted meanwhile: then it is to be made again.
                    if shelf.touch(&digest)?.is_some() {
                        return Ok((digest, there));
                    }
                }
            }
        }
        bail!("blob {digest} is made and deleted by others again and again")
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.kept {
            for number in (0..self.written).rev() {
                // Where even this fails, it is swept in time.
                let _ = self.cells.store.delete(&piece(&self.name, number));
            }
        }
    }
}

/// When an upload was begun, as its name tells.
pub(crate) fn begun(upload: &str) -> Option<u64> {
    u64::from_str_radix(upload.split_once('.')?.0, 16).ok()
}

/// The upload whose pieces a head tells of.
pub(crate) fn upload_of(key: &str, value: &[u8]) -> anyhow::Result<String> {
    let digest = key.strip_prefix(HEADS).unwrap_or_default().parse()?;
    Ok(head(&digest, value)?.upload)
}

fn key(digest: &Digest) -> String {
    format!("{HEADS}{digest}")
}

fn piece(upload: &str, number: u64) -> String {
    format!("{PIECES}{upload}:{number}")
}

/// A head as it was written, within its bounds: the store is not trusted with memory.
fn head(digest: &Digest, bytes: &[u8]) -> anyhow::Result<Head> {
    let head: Head = serde_json::from_slice(bytes)
        .with_context(|| format!("the head of blob {digest} is damaged"))?;
    ensure!(
        head.size <= MAX_BLOB && head.piece > 0 && head.media_type.len() <= MAX_MEDIA_TYPE,
        "the head of blob {digest} is damaged"
    );
    Ok(head)
}
