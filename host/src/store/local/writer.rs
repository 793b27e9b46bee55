//! A blob on its way into the store: hashed, and written through `content`, as it comes. It must not
//! hold more of it than a piece.

use std::{io, sync::Arc};

use anyhow::Context;
use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{blobs::Places, content::Encoder};
use crate::{contract::Digest, store::BlobWriter};

/// How much is gathered before a thread is asked to write it.
const PIECE: usize = 256 << 10;

/// The temporary file is deleted when this is dropped.
struct State {
    file: NamedTempFile,
    encoder: Encoder,
    hasher: Sha256,
    size: u64,
}

impl State {
    fn begin(places: &Places) -> io::Result<Self> {
        let mut file = NamedTempFile::new_in(&places.unfinished)?;
        let encoder = places.form.begin(file.as_file_mut())?;
        Ok(Self {
            file,
            encoder,
            hasher: Sha256::new(),
            size: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.encoder.write(self.file.as_file_mut(), bytes)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Writes what is left, and puts the file into its place.
    fn finish(mut self, places: &Places, rest: &[u8]) -> io::Result<(Digest, u64)> {
        self.write(rest)?;
        self.encoder.finish(self.file.as_file_mut())?;
        let digest = Digest::from_bytes(self.hasher.finalize().into());
        places.settle(self.file, &digest)?;
        Ok((digest, self.size))
    }
}

/// A blob being written. Bytes are gathered, and whole pieces are handed to a thread that may block.
pub(super) struct Writer {
    places: Arc<Places>,
    /// None after a failed write, or while one is under way.
    state: Option<State>,
    gathered: Vec<u8>,
}

impl Writer {
    pub(super) async fn begin(places: Arc<Places>) -> anyhow::Result<Self> {
        let state = tokio::task::spawn_blocking({
            let places = Arc::clone(&places);
            move || {
                let begun = State::begin(&places);
                begun.with_context(|| places.write_failed())
            }
        });
        Ok(Self {
            state: Some(state.await??),
            places,
            gathered: Vec::new(),
        })
    }

    fn take(&mut self) -> anyhow::Result<(State, Vec<u8>)> {
        let state = self.state.take();
        let state = state.context("an earlier write of this blob failed")?;
        Ok((state, std::mem::take(&mut self.gathered)))
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        anyhow::ensure!(self.state.is_some(), "an earlier write of this blob failed");
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() < PIECE {
            return Ok(());
        }
        let (mut state, gathered) = self.take()?;
        let written = tokio::task::spawn_blocking(move || {
            let written = state.write(&gathered);
            written.map(|()| (state, gathered))
        });
        let (state, mut gathered) = written.await?.with_context(|| self.places.write_failed())?;
        gathered.clear();
        self.gathered = gathered;
        self.state = Some(state);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> anyhow::Result<(Digest, u64)> {
        let (state, gathered) = self.take()?;
        let places = Arc::clone(&self.places);
        tokio::task::spawn_blocking(move || {
            let finished = state.finish(&places, &gathered);
            finished.with_context(|| places.write_failed())
        })
        .await?
    }
}
