//! Keys, the demand for a signature, and pins: what a component must meet before it is taken.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

use super::{
    key::{KeyId, TrustedKey},
    signature::Parsed,
};
use crate::contract::{Digest, Stage};

/// The most keys: each signature is held against them one by one.
const MAX_KEYS: usize = 100;

/// The longest part of a trusted comment that is shown.
const MAX_COMMENT: u64 = 500;

/// Which components are taken. By default: all, signed or not.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: Vec<TrustedKey>,
    require_signature: bool,
    pins: BTreeMap<Stage, Digest>,
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// By which of the trusted keys.
    pub key: KeyId,
    /// What the signer wrote into it, which is signed too; made fit to be shown.
    pub comment: String,
}

impl Trust {
    /// Takes what one of `keys` has signed. Without `require_signature` it takes what nobody has
    /// signed, too. A stage of `pins` takes nothing in the place of its built-in component but
    /// that one.
    pub fn new(
        keys: &[String],
        require_signature: bool,
        pins: BTreeMap<Stage, Digest>,
    ) -> anyhow::Result<Self> {
        ensure!(
            keys.len() <= MAX_KEYS,
            "trust.keys has {} keys: give at most {MAX_KEYS}",
            keys.len()
        );
        // Else everything would be refused, and for a reason that is not the component's.
        ensure!(
            !require_signature || !keys.is_empty(),
            "trust.require-signature needs a key in trust.keys: without one no signature can hold"
        );
        let parse = |(place, text): (usize, &String)| {
            let key = TrustedKey::parse(text).map_err(anyhow::Error::msg);
            key.with_context(|| format!("trust.keys, key {place}"))
        };
        Ok(Self {
            keys: (1..).zip(keys).map(parse).collect::<anyhow::Result<_>>()?,
            require_signature,
            pins,
        })
    }

    /// Whether a component that nobody has signed is refused.
    pub const fn requires_signature(&self) -> bool {
        self.require_signature
    }

    /// Whether everything is taken, so that nothing need be looked at.
    pub fn takes_all(&self) -> bool {
        self.keys.is_empty() && !self.require_signature && self.pins.is_empty()
    }

    /// Whether the component may be put in the place of the stage's built-in one.
    pub fn check_pin(&self, stage: Stage, component: &Digest) -> Result<(), String> {
        match self.pins.get(&stage) {
            Some(pin) if pin != component => Err(format!(
                "trust.pins lets {stage} be {} only, and this is {}",
                pin.short(),
                component.short()
            )),
            _ => Ok(()),
        }
    }

    /// Holds the text of a `.minisig` against the trusted keys: who has signed `bytes`; none where
    /// nobody has and nobody must. A signature that is there must hold, whether one is required or
    /// not; only where no key is trusted at all it says nothing.
    pub fn check(&self, bytes: &[u8], signature: Option<&str>) -> Result<Option<Signed>, String> {
        let Some(text) = signature else {
            return if self.require_signature {
                Err(
                    "it is not signed, and trust.require-signature asks for it: sign it with \
                     `minisign -S`"
                        .to_owned(),
                )
            } else {
                Ok(None)
            };
        };
        if self.keys.is_empty() {
            return Ok(None);
        }
        let Parsed { key, signature } = Parsed::of(text)?;
        // Numbers may be equal by chance or on purpose: every key with this one is tried.
        let mut named = self
            .keys
            .iter()
            .filter(|trusted| trusted.id == key)
            .peekable();
        if named.peek().is_none() {
            return Err(format!(
                "it is signed with key {key}, which is not in trust.keys"
            ));
        }
        // Older minisigns sign the bytes and not their hash; the tool itself takes both.
        let holds = |trusted: &TrustedKey| trusted.key.verify(bytes, &signature, true).is_ok();
        if !named.any(holds) {
            return Err(format!(
                "the signature of key {key} does not hold: the file or the signature was changed, \
                 or it is another file's"
            ));
        }
        let comment = crate::text::clean(signature.trusted_comment(), MAX_COMMENT);
        Ok(Some(Signed { key, comment }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    // Of the bytes `test`, as minisign's own author gives it.
    const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966\tfile:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";

    fn trust(keys: &[&str], required: bool) -> Trust {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        Trust::new(&keys, required, BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_signature_that_is_there_must_hold() {
        for required in [false, true] {
            let trust = trust(&[KEY], required);
            let signed = trust.check(b"test", Some(LEGACY)).unwrap().unwrap();
            assert_eq!(signed.key.to_string(), "E7620F1842B4E81F");
            assert!(signed.comment.contains("file:test"), "{}", signed.comment);
            let refused = |bytes: &[u8], text: &str| trust.check(bytes, Some(text)).unwrap_err();
            assert!(refused(b"Test", LEGACY).contains("does not hold"));
            let other_comment = LEGACY.replace("file:test", "file:tess");
            assert!(refused(b"test", &other_comment).contains("does not hold"));
            let other_key = LEGACY.replace("RWQf6LRC", "RWQf6LRD");
            assert!(refused(b"test", &other_key).contains("not in trust.keys"));
            for garbage in ["", "garbage", &LEGACY[..120], &LEGACY.repeat(200)] {
                assert!(refused(b"test", garbage).contains("can't be read"));
            }
        }
    }

    #[test]
    fn what_is_not_signed_is_taken_unless_it_must_be() {
        assert_eq!(trust(&[KEY], false).check(b"x", None), Ok(None));
        let error = trust(&[KEY], true).check(b"x", None).unwrap_err();
        assert!(error.contains("not signed"), "{error}");
        // Without a key nothing can be said of a signature.
        assert_eq!(trust(&[], false).check(b"x", Some("?")), Ok(None));
        let none: &[String] = &[];
        let error = Trust::new(none, true, BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("trust.keys"), "{error}");
        let error = Trust::new(&["x".to_owned()], false, BTreeMap::new()).unwrap_err();
        assert!(format!("{error:#}").contains("key 1"), "{error:#}");
    }

    #[test]
    fn a_pin_lets_one_component_through() {
        let pinned = Digest::of(b"pinned");
        let trust = Trust::new(&[], false, BTreeMap::from([(Stage::Train, pinned)])).unwrap();
        assert!(!trust.takes_all() && Trust::default().takes_all());
        trust.check_pin(Stage::Train, &pinned).unwrap();
        trust
            .check_pin(Stage::Infer, &Digest::of(b"other"))
            .unwrap();
        let error = trust
            .check_pin(Stage::Train, &Digest::of(b"other"))
            .unwrap_err();
        assert!(error.contains("trust.pins"), "{error}");
    }
}
