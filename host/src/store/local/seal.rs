//! Bodies of messages and values of records as they stand in the database.
//!
//! In a plain store they are themselves. In an encrypted one each is `nonce ‖ ciphertext ‖ tag` of
//! XChaCha20-Poly1305. The nonce has 24 random bytes, so many that no two are ever the same, and
//! nothing needs to be counted. The associated data name the place where the value stands: one that
//! was moved to another record, message or queue does not open there.
//!
//! What this can't tell: that a whole value was put back to what it was there earlier, or deleted.

use std::sync::Arc;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

use super::encryption::SubKey;
use crate::store::key::fill;

const NONCE_BYTES: usize = 24;

/// How the values of one kind are kept.
#[derive(Clone)]
pub(super) struct Seal(Option<Arc<XChaCha20Poly1305>>);

impl Seal {
    /// In the clear without a key.
    pub(super) fn new(key: Option<&SubKey>) -> Self {
        Self(key.map(|key| Arc::new(XChaCha20Poly1305::new((&**key).into()))))
    }

    /// The value as it is to be kept at `place`.
    pub(super) fn seal(&self, place: &[&str], value: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        let Some(cipher) = &self.0 else {
            return Ok(value);
        };
        let mut nonce = XNonce::default();
        fill(&mut nonce)?;
        let place = associated(place);
        let payload = Payload {
            msg: &value,
            aad: &place,
        };
        let sealed = cipher.encrypt(&nonce, payload);
        let sealed = sealed.map_err(|_| anyhow::anyhow!("a value is too large to be encrypted"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The value that was kept at `place`; none where what stands there was not put there with this
    /// key.
    pub(super) fn open(&self, place: &[&str], kept: Vec<u8>) -> Option<Vec<u8>> {
        let Some(cipher) = &self.0 else {
            return Some(kept);
        };
        let (nonce, sealed) = kept.split_at_checked(NONCE_BYTES)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        let place = associated(place);
        let payload = Payload {
            msg: sealed,
            aad: &place,
        };
        cipher.decrypt(&nonce, payload).ok()
    }
}

/// Each part with its length before it, so that no two places read the same.
fn associated(place: &[&str]) -> Vec<u8> {
    let parts = place.iter();
    parts
        .flat_map(|part| {
            let length = (part.len() as u64).to_be_bytes();
            length.into_iter().chain(part.bytes())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_at_its_place_alone() {
        let seal = Seal::new(Some(&SubKey::new([1; 32])));
        let kept = seal.seal(&["q", "id"], b"value".to_vec()).unwrap();
        let again = seal.seal(&["q", "id"], b"value".to_vec()).unwrap();
        assert_ne!(kept, again);
        let open = |place: &[&str], kept: &[u8]| seal.open(place, kept.to_vec());
        assert_eq!(open(&["q", "id"], &kept), Some(b"value".to_vec()));
        for place in [&["q", "ie"][..], &["qi", "d"], &["qid"], &["q", "id", ""]] {
            assert_eq!(open(place, &kept), None, "{place:?}");
        }
        let other = Seal::new(Some(&SubKey::new([2; 32])));
        assert_eq!(other.open(&["q", "id"], kept.clone()), None);
        for length in 0..kept.len() {
            assert_eq!(open(&["q", "id"], &kept[..length]), None);
        }
        for bit in 0..kept.len() * 8 {
            let mut flipped = kept.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&["q", "id"], &flipped), None);
        }
    }

    #[test]
    fn without_a_key_a_value_is_itself() {
        let seal = Seal::new(None);
        let kept = seal.seal(&["a"], b"value".to_vec()).unwrap();
        assert_eq!(kept, b"value");
        assert_eq!(seal.open(&["b"], kept).unwrap(), b"value");
    }
}
