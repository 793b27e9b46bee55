//! A component as an artifact: the layout of the CNCF's working group for Wasm.
//!
//! A manifest names a configuration, which says what the component imports and exports, and one
//! layer: the component's own bytes, so that the layer's digest is the one that Septet pins, signs and
//! records. The signature stands beside the layer as an annotation of it: a second layer would keep
//! other tools from pulling it, which demand that there is one.

use std::collections::HashMap;

use anyhow::Context as _;
use oci_spec::image::{
    ANNOTATION_TITLE, Descriptor, DescriptorBuilder, ImageManifest, ImageManifestBuilder,
    MediaType, SCHEMA_VERSION, Sha256Digest,
};
use serde_json::{Value, json};

use crate::{
    contract::{Digest, Stage},
    stage::Report,
    trust::MAX_SIGNATURE,
};

/// The largest manifest that is read, in bytes. Ours have about one thousand, with the longest
/// signature about 17 thousand.
pub(super) const MAX_MANIFEST: u64 = 256 << 10;

/// The configuration's media type.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// The component's.
const LAYER: &str = "application/wasm";

/// The annotation of the layer that holds its `.minisig`.
const SIGNATURE: &str = "septet.minisig";

/// The annotation of the manifest that names the stage.
const STAGE: &str = "septet.stage";

/// A component, ready to be sent.
pub struct Packed {
    pub(super) manifest: Vec<u8>,
    pub(super) config: Vec<u8>,
    pub(super) component: Vec<u8>,
    digest: Digest,
}

impl Packed {
    /// The component that `report` is about, with the text of its `.minisig` if it is signed.
    ///
    /// The same component makes the same manifest at any time and on any machine, so that a second
    /// push is seen to be one: the configuration has a date, and it is always the same.
    pub fn new(
        stage: Stage,
        component: Vec<u8>,
        report: &Report,
        signature: Option<&str>,
    ) -> anyhow::Result<Self> {
        let config = serde_json_canonicalizer::to_vec(&json!({
            "created": "1970-01-01T00:00:00Z",
            "author": Value::Null,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [format!("sha256:{}", report.digest)],
            "component": { "exports": report.exports, "imports": report.imports, "target": Value::Null },
        }))?;
        let mut beside = HashMap::from([(ANNOTATION_TITLE.to_owned(), format!("{stage}.wasm"))]);
        beside.extend(signature.map(|text| (SIGNATURE.to_owned(), text.to_owned())));
        let layer = DescriptorBuilder::default()
            .media_type(LAYER)
            .digest(sha256(&report.digest)?)
            .size(component.len() as u64)
            .annotations(beside)
            .build()?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(Descriptor::new(
                CONFIG.into(),
                config.len() as u64,
                sha256(&Digest::of(&config))?,
            ))
            .layers([layer])
            .annotations(HashMap::from([(STAGE.to_owned(), stage.to_string())]))
            .build()?;
        // Canonical, because annotations are in no order of their own.
        let manifest = serde_json_canonicalizer::to_vec(&manifest)?;
        Ok(Self {
            digest: Digest::of(&manifest),
            manifest,
            config,
            component,
        })
    }

    /// The manifest's digest: what the artifact is pinned by.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

fn sha256(digest: &Digest) -> anyhow::Result<Sha256Digest> {
    digest.to_string().parse().context("this is no sha-256")
}

/// What a manifest says of the component that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The component.
    pub component: Digest,
    /// Its bytes.
    pub size: u64,
    /// The stage that it was pushed as, if that is told. It may be told by anybody and anything.
    pub stage: Option<Stage>,
    /// The text of its `.minisig`.
    pub signature: Option<String>,
}

impl Contents {
    /// Reads a manifest: it comes from outside, and is bounded before.
    pub(super) fn of(manifest: &[u8]) -> Result<Self, String> {
        let no_wasm = |why: &str| format!("this is no Wasm artifact: {why}");
        let value: Value = serde_json::from_slice(manifest)
            .map_err(|_| no_wasm("its manifest is not JSON, or cut short"))?;
        if value.get("manifests").is_some() {
            return Err(no_wasm(
                "it is an index of several: name one of them by its digest",
            ));
        }
        let manifest: ImageManifest = serde_json::from_value(value)
            .map_err(|error| no_wasm(&format!("its manifest can't be read ({error})")))?;
        let kind = manifest.config().media_type().to_string();
        if kind != CONFIG {
            let kind = crate::capability::clean(&kind, 100);
            return Err(no_wasm(&format!(
                "its configuration is {kind}, and not {CONFIG}"
            )));
        }
        let [layer] = manifest.layers().as_slice() else {
            let count = manifest.layers().len();
            return Err(no_wasm(&format!(
                "it has {count} layers, and a component is one"
            )));
        };
        let kind = layer.media_type().to_string();
        if kind != LAYER {
            let kind = crate::capability::clean(&kind, 100);
            return Err(no_wasm(&format!("its layer is {kind}, and not {LAYER}")));
        }
        let digest = layer.as_digest_sha256().and_then(|hex| hex.parse().ok());
        let component = digest.ok_or_else(|| no_wasm("its layer is not named by a sha-256"))?;
        let beside = layer.annotations().as_ref();
        let signature = beside.and_then(|all| all.get(SIGNATURE));
        if let Some(text) = signature.filter(|text| text.len() > MAX_SIGNATURE) {
            let size = text.len();
            return Err(format!(
                "its signature has {size} bytes, and at most {MAX_SIGNATURE} are read"
            ));
        }
        let stage = manifest.annotations().as_ref();
        Ok(Self {
            component,
            size: layer.size(),
            stage: stage.and_then(|all| all.get(STAGE)?.parse().ok()),
            signature: signature.cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(bytes: &[u8]) -> Report {
        Report {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            imports: vec!["septet:capability/log@0.1.0".to_owned()],
            exports: vec!["septet:pipeline/stage@0.1.0".to_owned()],
            fits: vec![Stage::Train],
            transform: false,
            problems: Vec::new(),
        }
    }

    fn packed(signature: Option<&str>) -> Packed {
        Packed::new(
            Stage::Train,
            b"bytes".to_vec(),
            &report(b"bytes"),
            signature,
        )
        .unwrap()
    }

    #[test]
    fn what_is_packed_is_read_and_always_the_same() {
        let text = "untrusted comment: x\nRW…\n";
        for signature in [None, Some(text)] {
            let packed = packed(signature);
            let contents = Contents::of(&packed.manifest).unwrap();
            assert_eq!(contents.component, Digest::of(b"bytes"));
            assert_eq!((contents.size, contents.stage), (5, Some(Stage::Train)));
            assert_eq!(contents.signature.as_deref(), signature);
            assert_eq!(packed.digest(), self::packed(signature).digest());
        }
        assert_ne!(packed(None).digest(), packed(Some(text)).digest());
    }

    #[test]
    fn the_layout_is_the_working_groups() {
        let packed = packed(None);
        let manifest: Value = serde_json::from_slice(&packed.manifest).unwrap();
        assert_eq!(manifest["schemaVersion"], 2);
        assert_eq!(
            manifest["mediaType"],
            "application/vnd.oci.image.manifest.v1+json"
        );
        assert_eq!(
            manifest["config"]["mediaType"],
            "application/vnd.wasm.config.v0+json"
        );
        assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
        let config: Value = serde_json::from_slice(&packed.config).unwrap();
        assert_eq!(config["architecture"], "wasm");
        assert_eq!(config["os"], "wasip2");
        assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
        assert_eq!(
            config["component"]["exports"][0],
            "septet:pipeline/stage@0.1.0"
        );
    }

    #[test]
    fn what_is_no_wasm_artifact_is_told_by_what_it_is() {
        let good: Value = serde_json::from_slice(&packed(None).manifest).unwrap();
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut manifest = good.clone();
            change(&mut manifest);
            Contents::of(manifest.to_string().as_bytes()).unwrap_err()
        };
        let image = "application/vnd.oci.image.config.v1+json";
        let line = refused(&|m| m["config"]["mediaType"] = image.into());
        assert!(line.contains(image), "{line}");
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        let line = refused(&|m| m["layers"][0]["mediaType"] = tar.into());
        assert!(line.contains(tar), "{line}");
        let two = refused(&|m| m["layers"] = json!([m["layers"][0], m["layers"][0]]));
        assert!(two.contains("2 layers"), "{two}");
        let none = refused(&|m| m["layers"] = json!([]));
        assert!(none.contains("0 layers"), "{none}");
        let digest = format!("sha512:{}", "a".repeat(128));
        let other = refused(&|m| m["layers"][0]["digest"] = digest.clone().into());
        assert!(other.contains("sha-256"), "{other}");
        let long = "x".repeat(MAX_SIGNATURE + 1);
        let long = refused(&|m| m["layers"][0]["annotations"][SIGNATURE] = long.clone().into());
        assert!(long.contains("at most"), "{long}");
        for text in [
            "",
            "[]",
            "{}",
            "null",
            "{\"manifests\":[]}",
            &"[".repeat(10_000),
        ] {
            let line = Contents::of(text.as_bytes()).unwrap_err();
            assert!(line.contains("no Wasm artifact"), "{text}: {line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_manifest_makes_it_panic(at in 0_usize..600, byte: u8, cut in 0_usize..600) {
            let mut bytes = packed(None).manifest;
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Contents::of(&bytes);
            bytes.truncate(cut);
            let _ = Contents::of(&bytes);
        }
    }
}
