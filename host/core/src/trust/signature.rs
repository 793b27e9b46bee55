//! The text of a `.minisig`: it comes from outside, so it is bounded before it is looked at.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minisign_verify::Signature;

use super::key::KeyId;

/// The longest text of a signature, in bytes: minisign's own has about 300, and its comments may
/// be longer.
pub const MAX_SIGNATURE: usize = 16 << 10;

/// A signature that can be read; whether it holds is another question.
pub(super) struct Parsed {
    pub(super) key: KeyId,
    pub(super) signature: Signature,
}

impl Parsed {
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let unreadable =
            |why: &str| format!("the signature can't be read ({why}): sign again with minisign");
        if text.len() > MAX_SIGNATURE {
            let size = text.len();
            let why = format!("it has {size} bytes, and at most {MAX_SIGNATURE} are read");
            return Err(unreadable(&why));
        }
        let signature = Signature::decode(text);
        let signature = signature.map_err(|error| unreadable(&error.to_string().to_lowercase()))?;
        // The crate does not tell which key it names, and this is what a user must know.
        let line = text.lines().nth(1).unwrap_or_default();
        let bytes = STANDARD.decode(line.trim()).unwrap_or_default();
        let key = bytes.get(2..10).and_then(|key| key.try_into().ok());
        let key = key.ok_or_else(|| unreadable("it names no key"))?;
        Ok(Self {
            key: KeyId::from_bytes(key),
            signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,400}", lines in "(.{0,90}\n){0,5}") {
            let _ = Parsed::of(&text);
            let _ = Parsed::of(&format!("untrusted comment: x\n{lines}"));
        }
    }
}
