//! The components that say what was composed.
//!
//! A component can't hash the one that it is composed with, and must not take anybody's word for it
//! while it runs: so who composes them puts the digest between them, as a component of data.

use anyhow::Context as _;
use serde_json::Value;

use crate::contract::Digest;

/// A component that exports `septet:spin/composed`, which answers `digest`.
pub(super) fn described(digest: &Digest) -> anyhow::Result<Vec<u8>> {
    saying(("composed", "digest"), &digest.to_string())
}

/// A component that exports `septet:spin/identity`, for a gateway: what its application is made of.
pub(super) fn identity(identity: &Value) -> anyhow::Result<Vec<u8>> {
    saying(("identity", "read"), &identity.to_string())
}

/// A component of `interface` of `septet:spin`, whose one function answers `said`.
fn saying((interface, function): (&str, &str), said: &str) -> anyhow::Result<Vec<u8>> {
    // At address 0 lies what the canonical ABI takes for a text: where it begins, and its length.
    let escaped = |bytes: &[u8]| {
        let digits = hex::encode(bytes);
        let pairs = digits.as_bytes().chunks(2);
        let pairs: Vec<String> = pairs
            .map(|pair| format!("\\{}", pair.escape_ascii()))
            .collect();
        pairs.concat()
    };
    let length = u32::try_from(said.len()).context("an identity is too long")?;
    let (length, said) = (escaped(&length.to_le_bytes()), escaped(said.as_bytes()));
    let text = format!(
        r#"(component
            (core module $data
                (memory (export "memory") 1)
                (data (i32.const 0) "\08\00\00\00{length}{said}")
                (func (export "said") (result i32) (i32.const 0)))
            (core instance $data (instantiate $data))
            (func $said (result string)
                (canon lift (core func $data "said") (memory (core memory $data "memory"))))
            (instance $saying (export "{function}" (func $said)))
            (export "septet:spin/{interface}@0.1.0" (instance $saying)))"#
    );
    wat::parse_str(text).context("a component that says a text can't be made")
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker};

    use super::*;

    #[test]
    fn a_digest_is_said_as_it_is_written() {
        let digest = Digest::of(b"transform");
        let engine = wasmtime::Engine::default();
        let component = Component::new(&engine, described(&digest).unwrap()).unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = Linker::new(&engine)
            .instantiate(&mut store, &component)
            .unwrap();
        let composed = instance.get_export_index(&mut store, None, "septet:spin/composed@0.1.0");
        let said = instance
            .get_export_index(&mut store, composed.as_ref(), "digest")
            .unwrap();
        let said = instance
            .get_typed_func::<(), (String,)>(&mut store, said)
            .unwrap();
        assert_eq!(said.call(&mut store, ()).unwrap(), (digest.to_string(),));
    }
}
