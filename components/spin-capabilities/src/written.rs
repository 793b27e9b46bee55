//! What a call has written, within the limits.

use std::collections::BTreeMap;

use septet_core::{contract::Digest, limits::Limits};

/// A blob that the call has finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// Its bytes.
    pub(crate) size: u64,
    /// Each media type that it was given, in that order.
    pub(crate) media_types: Vec<String>,
}

/// What the call has written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    finished: BTreeMap<Digest, Blob>,
    created: u64,
    bytes: u64,
}

impl Written {
    /// Finished blobs.
    pub(crate) fn finished(self) -> BTreeMap<Digest, Blob> {
        self.finished
    }

    /// Whether the call wrote the blob.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.finished.contains_key(digest)
    }

    /// The media type that the call gave the blob first.
    pub(crate) fn media_type(&self, digest: &Digest) -> Option<&str> {
        let blob = self.finished.get(digest)?;
        blob.media_types.first().map(String::as_str)
    }

    /// Counts a blob that is begun; an error is the limit.
    pub(crate) fn create(&mut self, limits: &Limits) -> Result<(), u64> {
        if self.created >= limits.blobs {
            return Err(limits.blobs);
        }
        self.created += 1;
        Ok(())
    }

    /// Makes room for `more` bytes in a blob of `size` bytes; an error is the limit.
    pub(crate) fn grow(&mut self, size: u64, more: u64, limits: &Limits) -> Result<(), u64> {
        if size.saturating_add(more) > limits.blob_bytes {
            return Err(limits.blob_bytes);
        }
        if self.bytes.saturating_add(more) > limits.written_bytes {
            return Err(limits.written_bytes);
        }
        self.bytes += more;
        Ok(())
    }

    /// Remembers a finished blob.
    pub(crate) fn finish(&mut self, digest: Digest, size: u64, media_type: String) {
        let blob = self.finished.entry(digest).or_insert_with(|| Blob {
            size,
            media_types: Vec::new(),
        });
        if !blob.media_types.contains(&media_type) {
            blob.media_types.push(media_type);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_and_bytes_are_bounded() {
        let limits = Limits {
            blobs: 1,
            blob_bytes: 10,
            written_bytes: 15,
            ..Limits::default()
        };
        let mut written = Written::default();
        written.create(&limits).unwrap();
        assert_eq!(written.create(&limits), Err(1));
        written.grow(0, 10, &limits).unwrap();
        assert_eq!(written.grow(10, 1, &limits), Err(10));
        assert_eq!(written.grow(0, 6, &limits), Err(15));
        assert_eq!(written.grow(0, u64::MAX, &limits), Err(10));
    }

    #[test]
    fn media_types_are_of_rfc_6838() {
        let limits = Limits::default();
        assert!(is_media_type("text/csv; header=present", &limits));
        for bad in [
            "",
            "text",
            "text/",
            "/csv",
            "text/c sv",
            "text/csv\n",
            "té/xt",
        ] {
            assert!(!is_media_type(bad, &limits), "{bad}");
        }
    }
}
