//! Reading of blobs by digest, within what the call was given, was answered or has written.

use std::sync::Arc;

use wasmtime::component::{Linker, Resource};

use super::{
    Answer, Granted, View, Viewed,
    bindings::septet::capability::blob_read::{self, Error, Host, HostReader, Info},
};
use crate::{
    contract::Digest,
    stage::{Capability, HostFault},
    store::{BlobError, BlobReader},
};

/// An open blob.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Reader {
    info: Info,
    blob: Arc<dyn BlobReader>,
}

impl View<'_> {
    /// The blob's media type, if the call may read it. The same bytes may have been given more
    /// than once; the first name counts.
    fn readable(&self, digest: &Digest) -> Option<String> {
        let scope = &self.context.scope;
        if let Some(media_type) = self.context.written.media_type(digest) {
            return Some(media_type.to_owned());
        }
        if !scope.may_read(digest) {
            return None;
        }
        let input = scope.inputs.iter().find(|input| input.digest == *digest);
        let model = scope.models.get(digest).map(|model| &model.bundle);
        let named = input.or(model).map(|a| a.media_type.clone());
        Some(named.unwrap_or_else(|| "application/octet-stream".to_owned()))
    }

    /// The blob, opened once for the whole call. Opening reads and hashes all of it and takes a
    /// handle of the machine, and a component opens as often as it likes: that must not cost the
    /// host more than the first time.
    async fn opened(&mut self, digest: &Digest) -> Result<Arc<dyn BlobReader>, BlobError> {
        if let Some(blob) = self.context.opened.get(digest) {
            return Ok(Arc::clone(blob));
        }
        let blob: Arc<dyn BlobReader> = self.context.blobs.open(digest).await?.into();
        let opened = &mut self.context.opened;
        opened.insert(*digest, Arc::clone(&blob));
        Ok(blob)
    }
}

impl Host for View<'_> {}

impl HostReader for View<'_> {
    async fn open(&mut self, digest: String) -> Answer<Resource<Reader>, Error> {
        let _busy = self.context.enter(Capability::BlobRead)?;
        let Ok(digest) = digest.parse::<Digest>() else {
            return Ok(Err(Error::AccessDenied));
        };
        let Some(media_type) = self.readable(&digest) else {
            return Ok(Err(Error::AccessDenied));
        };
        let blob = match self.opened(&digest).await {
            Ok(blob) => blob,
            Err(BlobError::Missing(_)) => return Ok(Err(Error::NoSuchBlob)),
            // The store's fault, which no component can do anything about.
            Err(error) => return Err(wasmtime::Error::new(HostFault(error.into()))),
        };
        let info = Info {
            size: blob.size(),
            digest: digest.to_string(),
            media_type,
        };
        Ok(Ok(self.table.push(Reader { info, blob })?))
    }

    async fn info(&mut self, reader: Resource<Reader>) -> wasmtime::Result<Info> {
        let _busy = self.context.enter(Capability::BlobRead)?;
        Ok(self.table.get(&reader)?.info.clone())
    }

    async fn read(
        &mut self,
        reader: Resource<Reader>,
        offset: u64,
        length: u32,
    ) -> Answer<Vec<u8>, Error> {
        let _busy = self.context.enter(Capability::BlobRead)?;
        let most = self.context.limits.read_bytes;
        if u64::from(length) > most {
            return Ok(Err(Error::TooLarge(most)));
        }
        let reader = self.table.get(&reader)?;
        // The end is decided here, so that no backend is asked for what is not there.
        let left = reader.info.size.saturating_sub(offset).min(length.into());
        if left == 0 {
            return Ok(Ok(Vec::new()));
        }
        let piece = reader.blob.read(offset, left as u32).await;
        let piece = piece.map_err(|error| wasmtime::Error::new(HostFault(error)))?;
        Ok(Ok(piece))
    }

    async fn drop(&mut self, reader: Resource<Reader>) -> wasmtime::Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    blob_read::add_to_linker::<T, Granted>(linker, T::view)
}
