//! The key that a store is encrypted with.
//!
//! It knows how a key is written and that it is shown to nobody: no text of this module has any of
//! it, errors included. It must not know where a key comes from, nor what is encrypted how.

use std::fmt;

use base64::{Engine as _, alphabet, engine};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// With and without the `=` at the end, as different tools write it.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
);

/// 32 random bytes, wiped from memory when the value goes.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; KEY_BYTES]>);

impl StoreKey {
    /// The longest text that can be a key, in bytes, with the space around it.
    pub const MAX_TEXT: usize = 256;

    /// A new key from the system's random numbers.
    pub fn random() -> anyhow::Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(bytes.as_mut())?;
        Ok(Self(bytes))
    }

    /// A key written as 64 hexadecimal digits or as base64, with space around it. The error does
    /// not say what the text was.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim_ascii();
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        let fits = text.len() <= Self::MAX_TEXT
            && if text.len() == 2 * KEY_BYTES {
                hex::decode_to_slice(text, bytes.as_mut()).is_ok()
            } else {
                let decoded = BASE64.decode(text).map(Zeroizing::new);
                decoded.is_ok_and(|decoded| match decoded.as_slice().try_into() {
                    Ok(decoded) => {
                        *bytes = decoded;
                        true
                    }
                    Err(_) => false,
                })
            };
        anyhow::ensure!(
            fits,
            "a key is {KEY_BYTES} bytes, written as {} hexadecimal digits or in base64 (`septet \
             store key --out FILE` makes one)",
            2 * KEY_BYTES
        );
        Ok(Self(bytes))
    }

    /// The key as [`StoreKey::parse`] reads it: for the file that keeps it, and for nothing else.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.bytes()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

/// Fills `bytes` with the system's random numbers.
pub(super) fn fill(bytes: &mut [u8]) -> anyhow::Result<()> {
    getrandom::fill(bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = StoreKey::random().unwrap();
        let text = key.to_text();
        assert_eq!(text.len(), 64);
        let encoded = base64::engine::general_purpose::STANDARD.encode(key.bytes());
        let spaced = format!(" {}\n", text.to_uppercase());
        let unpadded = encoded.trim_end_matches('=');
        for text in [text.as_str(), encoded.as_str(), spaced.as_str(), unpadded] {
            assert_eq!(StoreKey::parse(text).unwrap().bytes(), key.bytes());
        }
        assert_ne!(StoreKey::random().unwrap().bytes(), key.bytes());
    }

    #[test]
    fn no_error_and_no_debug_output_shows_it() {
        let secret = "0123456789abcdef";
        for text in [
            secret.to_owned(),
            secret.repeat(4) + "0",
            secret.repeat(3) + "0123456789abcdeg",
            secret.repeat(1000),
            String::new(),
            "ä".repeat(32),
        ] {
            let error = format!("{:?}", StoreKey::parse(&text).unwrap_err());
            assert!(
                !error.contains(secret) && error.contains("64 hex"),
                "{error}"
            );
        }
        let key = StoreKey::parse(&secret.repeat(4)).unwrap();
        assert_eq!(format!("{key:?}"), "StoreKey(…)");
    }
}
