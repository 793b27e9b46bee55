//! The seven default stages' components, infer's for ONNX, and those that go with them on Spin, as the
//! build embedded them.
//!
//! Bytes only: it must not compile or run them. Their native code is made on first use, by the
//! catalog.

use std::sync::OnceLock;

use crate::contract::{Digest, Stage};

/// Each stage's component, in the order of [`Stage::ALL`].
pub const EMBEDDED: [(Stage, &[u8]); 7] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The component of infer for models of ONNX. It reads what strangers write, by a large library: it is put
/// into a store like a component of somebody else's, and run as guarded as one.
const INFER_ONNX: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/infer-onnx.wasm"));

/// [`INFER_ONNX`] with its digest, computed once and not before it is needed.
pub fn infer_onnx() -> (Digest, &'static [u8]) {
    static KNOWN: OnceLock<Digest> = OnceLock::new();
    let digest = KNOWN.get_or_init(|| Digest::of(INFER_ONNX));
    (*digest, INFER_ONNX)
}

/// What the stages' components are composed with on Spin, by package.
pub const SPIN: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/spin.rs"));

/// The digest and the size of a stage's component, computed once.
pub fn builtin(stage: Stage) -> Option<(Digest, u64)> {
    static KNOWN: [OnceLock<Digest>; 7] = [const { OnceLock::new() }; 7];
    let all = EMBEDDED.iter().zip(&KNOWN);
    let mut all = all.filter(|((there, _), _)| *there == stage);
    let ((_, bytes), known) = all.next()?;
    let digest = known.get_or_init(|| Digest::of(bytes));
    Some((*digest, bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_its_component() {
        assert_eq!(EMBEDDED.map(|(stage, _)| stage), Stage::ALL);
        for (stage, bytes) in EMBEDDED {
            assert!(bytes.starts_with(b"\0asm\x0d\0\x01\0"), "{stage}");
            let own = (Digest::of(bytes), bytes.len() as u64);
            assert_eq!(builtin(stage), Some(own));
        }
        assert!(INFER_ONNX.starts_with(b"\0asm\x0d\0\x01\0"));
        assert_eq!(infer_onnx().0, Digest::of(INFER_ONNX));
        for (package, bytes) in SPIN {
            assert!(bytes.starts_with(b"\0asm\x0d\0\x01\0"), "{package}");
        }
    }
}
