//! The key that clients prove themselves with.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use anyhow::ensure;
use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// How long a key may be, in bytes. A shorter one could be guessed.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=512;

/// A key; it is never shown. Its copies are one: who replaces it replaces it for all.
#[derive(Clone)]
pub struct Key(Arc<RwLock<Known>>);

/// The digests of the keys that are good. With none nobody is let in.
#[derive(Default)]
struct Known {
    now: Option<[u8; 32]>,
    /// The one before, and until when it is good.
    before: Option<([u8; 32], Instant)>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key of printable ASCII letters without space, as a header can carry it.
    pub fn new(key: &str) -> anyhow::Result<Self> {
        let locked = Self::locked();
        locked.replace(key, Duration::ZERO)?;
        Ok(locked)
    }

    /// A key that is not known yet: nobody has it.
    pub fn locked() -> Self {
        Self(Arc::default())
    }

    /// Takes another key. The one before stays good for `overlap`, so that clients can change over.
    pub fn replace(&self, key: &str, overlap: Duration) -> anyhow::Result<()> {
        ensure!(
            LENGTH.contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()),
            "the key has to have {} to {} printable ASCII characters and no space, as `openssl rand \
             -hex 32` makes it",
            LENGTH.start(),
            LENGTH.end()
        );
        let now = Some(digest(key.as_bytes()));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.now != now {
            let until = Instant::now().checked_add(overlap);
            known.before = known.now.zip(until);
            known.now = now;
        }
        Ok(())
    }

    /// Takes all keys away: nobody is let in until there is another.
    pub fn withdraw(&self) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *known = Known::default();
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
        let Some(given) = given.map(digest) else {
            return false;
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is = |key: Option<[u8; 32]>| key.map_or(Choice::from(0), |key| key.ct_eq(&given));
        let before = known.before.filter(|(_, until)| Instant::now() < *until);
        // Both are compared, whichever it is.
        (is(known.now) | is(before.map(|(key, _)| key))).into()
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
    fn a_key_is_replaced_for_all_copies() {
        let key = Key::new(KEY).unwrap();
        let copy = key.clone();
        let has = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-functions-key", text.parse().unwrap());
            copy.is_in(&headers)
        };
        key.replace("fedcba9876543210", Duration::from_mins(1))
            .unwrap();
        assert!(has("fedcba9876543210") && has(KEY));
        // Told the same again, the one before is as good as it was.
        key.replace("fedcba9876543210", Duration::ZERO).unwrap();
        assert!(has(KEY));
        key.replace("0000000000000000", Duration::ZERO).unwrap();
        assert!(has("0000000000000000") && !has("fedcba9876543210") && !has(KEY));
        assert!(key.replace("weak", Duration::ZERO).is_err());
        assert!(has("0000000000000000"));
        key.withdraw();
        assert!(!has("0000000000000000"));
        assert!(!Key::locked().is_in(&HeaderMap::new()));
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
