//! Writing of blobs, bounded in count and bytes.
//!
//! A blob has no name here: the outcome names it, and the commit publishes it.

use std::collections::BTreeMap;

use wasmtime::component::{Linker, Resource};

use super::{
    Answer, Granted, View, Viewed,
    bindings::septet::capability::blob_write::{self, Error, Host, HostWriter, Info},
};
use crate::{
    contract::Digest,
    stage::{Capability, HostFault, Limits},
    store::BlobWriter,
};

/// What the call has written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    finished: BTreeMap<Digest, Blob>,
    created: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Blob {
    size: u64,
    media_types: Vec<String>,
}

impl Written {
    /// The size of a blob that the call has finished.
    pub(crate) fn size(&self, digest: &Digest) -> Option<u64> {
        self.finished.get(digest).map(|blob| blob.size)
    }

    /// The media type that the call gave the blob first.
    pub(crate) fn media_type(&self, digest: &Digest) -> Option<&str> {
        let blob = self.finished.get(digest)?;
        blob.media_types.first().map(String::as_str)
    }

    /// Whether the call wrote the blob under this media type.
    pub(crate) fn has_media_type(&self, digest: &Digest, media_type: &str) -> bool {
        let blob = self.finished.get(digest);
        blob.is_some_and(|blob| blob.media_types.iter().any(|known| known == media_type))
    }

    fn create(&mut self, limits: &Limits) -> Result<(), Error> {
        if self.created >= limits.blobs {
            return Err(Error::TooLarge(limits.blobs));
        }
        self.created += 1;
        Ok(())
    }

    /// Makes room for `more` bytes in a blob of `size` bytes.
    fn grow(&mut self, size: u64, more: u64, limits: &Limits) -> Result<(), Error> {
        if size.saturating_add(more) > limits.blob_bytes {
            return Err(Error::TooLarge(limits.blob_bytes));
        }
        if self.bytes.saturating_add(more) > limits.written_bytes {
            return Err(Error::TooLarge(limits.written_bytes));
        }
        self.bytes += more;
        Ok(())
    }

    fn finish(&mut self, digest: Digest, size: u64, media_type: String) {
        let blob = self.finished.entry(digest).or_insert_with(|| Blob {
            size,
            media_types: Vec::new(),
        });
        if !blob.media_types.contains(&media_type) {
            blob.media_types.push(media_type);
        }
    }
}

/// A blob being written; without its backend's part once finished.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Writer {
    media_type: String,
    size: u64,
    blob: Option<Box<dyn BlobWriter>>,
}

/// As in RFC 6838, with parameters: `type/subtype; key=value`.
pub(crate) fn is_media_type(text: &str, limits: &Limits) -> bool {
    let essence = text.split(';').next().unwrap_or_default();
    let name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.len() as u64 <= limits.name_bytes
        && text.bytes().all(|b| matches!(b, b' '..=b'~'))
        && essence
            .split_once('/')
            .is_some_and(|(kind, subtype)| name(kind) && name(subtype.trim_end()))
}

impl Host for View<'_> {}

impl HostWriter for View<'_> {
    async fn create(&mut self, media_type: String) -> Answer<Resource<Writer>, Error> {
        let _busy = self.context.enter(Capability::BlobWrite)?;
        let limits = &self.context.limits;
        if !is_media_type(&media_type, limits) {
            let shown = super::clean(&media_type, 80);
            return Ok(Err(Error::Other(format!("'{shown}' is not a media type"))));
        }
        if let Err(error) = self.context.written.create(limits) {
            return Ok(Err(error));
        }
        let blob = self.context.blobs.create().await;
        let blob = blob.map_err(|error| wasmtime::Error::new(HostFault(error)))?;
        let writer = Writer {
            media_type,
            size: 0,
            blob: Some(blob),
        };
        Ok(Ok(self.table.push(writer)?))
    }

    async fn write(&mut self, writer: Resource<Writer>, bytes: Vec<u8>) -> Answer<(), Error> {
        let _busy = self.context.enter(Capability::BlobWrite)?;
        let writer = self.table.get_mut(&writer)?;
        let Some(blob) = &mut writer.blob else {
            return Ok(Err(finished()));
        };
        let more = bytes.len() as u64;
        let context = &mut *self.context;
        if let Err(error) = context.written.grow(writer.size, more, &context.limits) {
            return Ok(Err(error));
        }
        let wrote = blob.write(&bytes).await;
        wrote.map_err(|error| wasmtime::Error::new(HostFault(error)))?;
        writer.size += more;
        Ok(Ok(()))
    }

    async fn finish(&mut self, writer: Resource<Writer>) -> Answer<Info, Error> {
        let _busy = self.context.enter(Capability::BlobWrite)?;
        let writer = self.table.get_mut(&writer)?;
        let Some(blob) = writer.blob.take() else {
            return Ok(Err(finished()));
        };
        let media_type = writer.media_type.clone();
        let ended = blob.finish().await;
        let (digest, size) = ended.map_err(|error| wasmtime::Error::new(HostFault(error)))?;
        let written = &mut self.context.written;
        written.finish(digest, size, media_type.clone());
        Ok(Ok(Info {
            size,
            digest: digest.to_string(),
            media_type,
        }))
    }

    async fn drop(&mut self, writer: Resource<Writer>) -> wasmtime::Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}

fn finished() -> Error {
    Error::Other("the writer is finished already".to_owned())
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    blob_write::add_to_linker::<T, Granted>(linker, T::view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_checked() {
        let limits = Limits::default();
        for good in [
            "text/csv",
            "application/vnd.apache.arrow.file",
            "text/csv; charset=utf-8",
        ] {
            assert!(is_media_type(good, &limits), "{good}");
        }
        let long = format!("text/{}", "x".repeat(300));
        for bad in [
            "",
            "text",
            "text/",
            "/csv",
            "text/c sv",
            "text/csv\n",
            &long,
        ] {
            assert!(!is_media_type(bad, &limits), "{bad}");
        }
    }

    #[test]
    fn count_and_bytes_are_bounded() {
        let limits = Limits {
            blobs: 1,
            blob_bytes: 10,
            written_bytes: 15,
            ..Limits::default()
        };
        let mut written = Written::default();
        written.create(&limits).unwrap();
        assert_eq!(written.create(&limits), Err(Error::TooLarge(1)));
        written.grow(0, 10, &limits).unwrap();
        assert_eq!(written.grow(10, 1, &limits), Err(Error::TooLarge(10)));
        assert_eq!(written.grow(0, 6, &limits), Err(Error::TooLarge(15)));
        assert_eq!(written.grow(0, u64::MAX, &limits), Err(Error::TooLarge(10)));
    }
}
