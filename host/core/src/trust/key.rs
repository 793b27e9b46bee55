//! A public key of minisign, as its `.pub` file has it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minisign_verify::PublicKey;

/// The bytes of a public key: two letters of the algorithm, its number, the key.
const KEY_BYTES: usize = 42;

/// The longest text that is read as a key: a comment and a line of it.
const MAX_TEXT: usize = 2048;

/// The number by which minisign tells keys apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// The number in these bytes of a key or of a signature.
    pub(super) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }
}

impl fmt::Display for KeyId {
    /// As minisign writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A key whose signatures count.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// Its number.
    pub id: KeyId,
    pub(super) key: PublicKey,
}

impl TrustedKey {
    /// The key in `text`: the line that begins with `RW`, alone or with the comment above it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "this is no public key of minisign ({why}): give the line of the .pub file that \
                 begins with RW"
            )
        };
        if text.len() > MAX_TEXT {
            return Err(wrong("it is too long"));
        }
        let mut lines = text.lines().map(str::trim);
        let line = lines.rfind(|line| !line.is_empty());
        let line = line.ok_or_else(|| wrong("it is empty"))?;
        let bytes = STANDARD.decode(line);
        let bytes = bytes.map_err(|_| wrong("it is not written in base64"))?;
        let id = match bytes.get(2..10).and_then(|id| id.try_into().ok()) {
            Some(id) if bytes.len() == KEY_BYTES => KeyId::from_bytes(id),
            _ => return Err(wrong(&format!("it has {} bytes, not 42", bytes.len()))),
        };
        let key = PublicKey::from_base64(line);
        let key = key.map_err(|error| wrong(&error.to_string().to_lowercase()))?;
        Ok(Self { id, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_by_the_number_that_minisign_shows() {
        let line = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        let whole = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{line}\n");
        for text in [line, &whole] {
            let key = TrustedKey::parse(text).unwrap();
            assert_eq!(key.id.to_string(), "E7620F1842B4E81F");
        }
        let secret = line.replace("RW", "RQ");
        for bad in [
            "",
            "RW",
            "no key at all",
            &line[4..],
            &secret,
            &line.repeat(60),
        ] {
            let error = TrustedKey::parse(bad).unwrap_err();
            assert!(error.contains("no public key"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
