//! The key that clients prove themselves with.

use std::fmt;

use anyhow::ensure;
use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How long a key may be, in bytes. A shorter one could be guessed.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=512;

/// A key; it is never shown.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key of printable ASCII letters without space, as a header can carry it.
    pub fn new(key: &str) -> anyhow::Result<Self> {
        ensure!(
            LENGTH.contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()),
            "the key has to have {} to {} printable ASCII characters and no space, as `openssl rand \
             -hex 32` makes it",
            LENGTH.start(),
            LENGTH.end()
        );
        Ok(Self(digest(key.as_bytes())))
    }

    /// Whether a request carries the key: `Authorization: Bearer KEY` or `x-functions-key: KEY`.
    /// Digests are compared, in the same time wherever they differ, so that neither the key nor
    /// its length can be found out by measuring.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let own = headers.get("x-functions-key").map(HeaderValue::as_bytes);
        let bearer = headers.get(header::AUTHORIZATION);
        let bearer = bearer.and_then(|value| {
            let (scheme, key) = value.as_bytes().split_at_checked(7)?;
            scheme
                .eq_ignore_ascii_case(b"Bearer ")
                .then(|| key.trim_ascii())
        });
        let given = bearer.or(own);
        given.is_some_and(|given| digest(given).ct_eq(&self.0).into())
    }
}

fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef";

    fn carried(name: &'static str, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Key::new(KEY).unwrap().is_in(&headers)
    }

    #[test]
    fn a_key_is_known_in_two_headers() {
        assert!(carried("authorization", &format!("Bearer {KEY}")));
        assert!(carried("authorization", &format!("bearer  {KEY}")));
        assert!(carried("x-functions-key", KEY));
        for wrong in ["", "Bearer", "Bearer ", "Basic 0123456789abcdef", KEY] {
            assert!(!carried("authorization", wrong), "{wrong}");
        }
        assert!(!carried("x-functions-key", "0123456789abcdeF"));
        assert!(!Key::new(KEY).unwrap().is_in(&HeaderMap::new()));
    }

    #[test]
    fn weak_keys_are_refused_and_no_key_is_shown() {
        for weak in [
            "",
            "short",
            "0123456789 abcdef",
            &"x".repeat(513),
            "ääääääääää",
        ] {
            assert!(Key::new(weak).is_err(), "{weak}");
        }
        assert_eq!(format!("{:?}", Key::new(KEY).unwrap()), "Key(…)");
    }
}
