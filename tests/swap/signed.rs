//! Signatures of the ordinary tool, held against keys.

use std::{collections::BTreeMap, fs};

use septet::{swap::beside, trust::Trust};

use super::minisign::Signer;
use crate::support::{guests::guest, septet::Workplace};

fn trust(keys: &[String], require_signature: bool) -> Trust {
    Trust::new(keys, require_signature, BTreeMap::new()).unwrap()
}

#[test]
fn what_minisign_signs_is_taken_and_nothing_else() {
    let (Some(signer), Some(stranger)) = (Signer::new(), Signer::new()) else {
        return;
    };
    let place = Workplace::new();
    let bytes = guest("train");
    let file = place.write("train.wasm", bytes);
    let key = signer.key();
    let required = trust(&[stranger.key(), key.clone()], true);
    let only = trust(&[key], true);
    for legacy in [false, true] {
        let text = signer.sign(&file, legacy, "release 7, built on Monday");
        assert_eq!(beside(&file).unwrap().as_deref(), Some(text.as_str()));
        for trust in [&required, &only] {
            let signed = trust.check(bytes, Some(&text)).unwrap().unwrap();
            assert_eq!(signed.comment, "release 7, built on Monday");
            // The comment of the public key's file names the key as we do.
            assert_eq!(signed.key.to_string().len(), 16);
        }
        let mut tampered = bytes.to_vec();
        *tampered.last_mut().unwrap() ^= 1;
        let refused = |bytes: &[u8], text: &str| only.check(bytes, Some(text)).unwrap_err();
        assert!(refused(&tampered, &text).contains("does not hold"));
        assert!(refused(&bytes[..bytes.len() - 1], &text).contains("does not hold"));
        let other = text.replace("release 7", "release 8");
        assert!(refused(bytes, &other).contains("does not hold"));
        let theirs = stranger.sign(&file, legacy, "x");
        assert!(refused(bytes, &theirs).contains("not in trust.keys"));
        // A legacy signature can't be made of one of a hash: the letters are signed with it.
        let swapped = if legacy {
            text.replace("\nRW", "\nRU")
        } else {
            text.replace("\nRU", "\nRW")
        };
        assert!(refused(bytes, &swapped).contains("does not hold"));
    }
    assert!(only.check(bytes, None).unwrap_err().contains("not signed"));
    let garbage = place.write("train.wasm.minisig", "garbage");
    let text = beside(&file).unwrap();
    let error = only.check(bytes, text.as_deref()).unwrap_err();
    assert!(error.contains("can't be read"), "{error}");
    fs::remove_file(garbage).unwrap();
    assert!(beside(&file).unwrap().is_none());
}
