//! The layout of blobs in the key-value store.

use sha2::{Digest as _, Sha256};

use crate::component::bindings::{
    septet::capability::blobs::{Error, Info},
    wasi::keyvalue::store::{self, Error as StoreError},
};

/// The store's name in the manifest.
const STORE: &str = "default";

/// Bytes of a blob. The store gives and takes a value whole.
pub(crate) const MOST_BYTES: usize = 64 << 20;

/// The store, opened.
pub(crate) struct Bucket(store::Bucket);

impl Bucket {
    pub(crate) fn open() -> Result<Self, Error> {
        store::open(STORE).map(Self).map_err(told)
    }

    /// A blob by its digest; its bytes are checked against it.
    pub(crate) fn get(&self, digest: &str) -> Result<(Vec<u8>, Info), Error> {
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digest.len() != 64 || !digest.bytes().all(plain) {
            return Err(Error::NoSuchBlob);
        }
        let bytes = self
            .value(&format!("blob/{digest}"))?
            .ok_or(Error::NoSuchBlob)?;
        if digest_of(&bytes) != digest {
            return Err(Error::Other(format!(
                "the blob {digest} is damaged: its bytes have another digest"
            )));
        }
        let media_type = self.value(&format!("type/{digest}"))?.unwrap_or_default();
        let info = Info {
            size: bytes.len() as u64,
            digest: digest.to_owned(),
            media_type: String::from_utf8_lossy(&media_type).into_owned(),
        };
        Ok((bytes, info))
    }

    /// Stores a blob under its digest.
    pub(crate) fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Info, Error> {
        let digest = digest_of(bytes);
        // The type first: whoever sees the bytes then sees it too.
        let set = |key: String, value: &[u8]| self.0.set(&key, value).map_err(told);
        set(format!("type/{digest}"), media_type.as_bytes())?;
        set(format!("blob/{digest}"), bytes)?;
        Ok(Info {
            size: bytes.len() as u64,
            digest,
            media_type: media_type.to_owned(),
        })
    }

    /// Keys of named blobs that start with `prefix`, sorted, after the key `after`.
    pub(crate) fn names(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.0.list_keys(cursor.as_deref()).map_err(told)?;
            let keys = page.keys.iter().filter_map(|key| key.strip_prefix("name/"));
            names.extend(
                keys.filter(|key| key.starts_with(prefix))
                    .filter(|key| after.is_none_or(|after| *key > after))
                    .map(str::to_owned),
            );
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The digest that a name stands for.
    pub(crate) fn named(&self, key: &str) -> Result<Option<String>, Error> {
        let digest = self.value(&format!("name/{key}"))?;
        Ok(digest.map(|digest| String::from_utf8_lossy(&digest).into_owned()))
    }

    fn value(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.0.get(key).map_err(told)
    }
}

fn digest_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn told(error: StoreError) -> Error {
    match error {
        StoreError::AccessDenied => Error::AccessDenied,
        StoreError::NoSuchStore => Error::Other(format!(
            "there is no key-value store '{STORE}': name it under key_value_stores in spin.toml"
        )),
        StoreError::Other(reason) => Error::Unavailable(reason),
    }
}
