//! The bundle's bytes.
//!
//! ```text
//!  0  8 bytes  SEPTETM1
//!  8  u32      length of the manifest, little-endian
//! 12           manifest: JSON without spaces, fields in a fixed order
//!              zeros up to a multiple of 16
//!              model, to the end
//! ```

use std::io::{ErrorKind, Read};

use serde::Deserialize;

use super::{FORMAT, Manifest};
use crate::model::Model;

/// Of a bundle's artifact.
pub const MEDIA_TYPE: &str = "application/vnd.septet.model-bundle";

const MAGIC: &[u8; 8] = b"SEPTETM1";
const CUT: &str = "the model bundle is cut off";
/// Bytes of a manifest.
const MAX_MANIFEST: usize = 16 << 20;

/// A model and all that serving it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// What is told of the model.
    pub manifest: Manifest,
    /// What predicts.
    pub model: Model,
}

impl Bundle {
    /// The bundle, if its parts fit each other.
    pub fn new(manifest: Manifest, model: Model) -> Result<Self, String> {
        manifest.check(&model)?;
        Ok(Self { manifest, model })
    }

    /// The bundle's bytes; equal bundles have equal bytes. An error if the manifest is over
    /// 16 MiB.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let manifest = serde_json::to_vec(&self.manifest)
            .map_err(|error| format!("the manifest can't be written: {error}"))?;
        if manifest.len() > MAX_MANIFEST {
            return Err(format!(
                "the manifest has {} bytes, more than the {MAX_MANIFEST} that a bundle may hold",
                manifest.len()
            ));
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend((manifest.len() as u32).to_le_bytes());
        bytes.extend(manifest);
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        bytes.extend(self.model.encode());
        Ok(bytes)
    }

    /// The bundle of these bytes, with all checks; see [`Manifest::check`] and [`Model::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut rest = bytes;
        let manifest = read_manifest(&mut rest)?;
        let end = bytes.len() - rest.len();
        let padding = end.next_multiple_of(16) - end;
        let (padding, model) = rest.split_at_checked(padding).ok_or(CUT)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err("the bundle's padding is not empty".to_owned());
        }
        let model = Model::decode(model)?;
        Self::new(manifest, model)
    }
}

/// The manifest alone, for who does not predict: the model, however large, is not read, and what
/// [`Manifest::check`] says of both together is not known.
pub fn read_manifest(mut bundle: impl Read) -> Result<Manifest, String> {
    /// Only the format, so that a newer manifest is told from a broken one.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let mut read = |buffer: &mut [u8]| {
        bundle
            .read_exact(buffer)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => CUT.to_owned(),
                _ => format!("can't read the model bundle: {error}"),
            })
    };
    let (mut magic, mut length) = ([0; 8], [0; 4]);
    read(&mut magic)?;
    if &magic != MAGIC {
        return Err("this is not a model bundle".to_owned());
    }
    read(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_MANIFEST {
        return Err(format!(
            "the bundle's manifest has {length} bytes; at most {MAX_MANIFEST} are read"
        ));
    }
    let mut json = vec![0; length];
    read(&mut json)?;
    let wrong = |error| format!("the bundle's manifest can't be read: {error}");
    let Format { format } = serde_json::from_slice(&json).map_err(wrong)?;
    if format != FORMAT {
        return Err(format!(
            "the bundle is of format {format}, but this component reads format {FORMAT}"
        ));
    }
    let manifest: Manifest = serde_json::from_slice(&json).map_err(wrong)?;
    manifest.reference.check()?;
    manifest.feature_reference.check()?;
    manifest.prediction_reference.check()?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        bundle::{LineageInput, Recorded},
        drift::Reference,
        matrix::Matrix,
        model::Linear,
        preprocessing::{Encoding, Fitted, Preprocessing, Task},
        table::{Column, Table, Values},
    };

    fn bundle() -> Bundle {
        let column = |name: &str, values| Column {
            name: name.to_owned(),
            values: Values::Floats(values),
            nulls: vec![],
        };
        let table = Table {
            rows: 2,
            columns: vec![column("x", vec![0.1, 0.2])],
        };
        let predictions = Table {
            rows: 2,
            columns: vec![column("prediction", vec![0.3, 0.4])],
        };
        let weights = Matrix::new(1, 1, vec![2.0]).unwrap();
        let model = Model::LinearRegressor(Linear::new(weights, vec![0.5]).unwrap());
        let manifest = Manifest {
            format: FORMAT,
            algorithm: "ridge".to_owned(),
            parameters: BTreeMap::from([("alpha".to_owned(), 1.0.into())]),
            seed: u64::MAX,
            preprocessing: Preprocessing {
                task: Task::Regression,
                target: "y".to_owned(),
                classes: vec![],
                class_counts: vec![],
                target_mean: 0.1,
                positive: None,
                folds: crate::preprocessing::Folds::Rows,
                weighted: false,
                inputs: vec![],
                transforms: vec![],
                columns: vec![Fitted {
                    column: "x".to_owned(),
                    encoding: Encoding::Number {
                        fill: 0.0,
                        center: 0.0,
                        scale: 1.0,
                        indicator: false,
                    },
                }],
                features: vec!["x".to_owned()],
            },
            reference: Reference::fit(&table, &[]),
            feature_reference: Reference::default(),
            threshold: None,
            metrics: crate::metrics::Metrics::new(),
            prediction_reference: Reference::fit(&predictions, &[]),
            lineage: vec![LineageInput {
                name: "train".to_owned(),
                digest: "ab".repeat(32),
            }],
            recorded: Recorded::new(&table, &Matrix::new(2, 1, vec![0.7, 0.9]).unwrap()),
        };
        Bundle::new(manifest, model).unwrap()
    }

    #[test]
    fn a_bundle_goes_there_and_back() {
        let bundle = bundle();
        let bytes = bundle.encode().unwrap();
        assert_eq!(bytes, bundle.encode().unwrap());
        assert_eq!(Bundle::decode(&bytes).unwrap(), bundle);
        assert_eq!(read_manifest(&bytes[..]).unwrap(), bundle.manifest);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let mut other = bundle();
        other.manifest.preprocessing.features.push("z".to_owned());
        let message = Bundle::decode(&other.encode().unwrap()).unwrap_err();
        assert_eq!(
            message,
            "the model takes 1 features but the preprocessing gives 2"
        );
        let mut other = bundle();
        other.manifest.preprocessing.task = Task::Classification;
        assert!(Bundle::decode(&other.encode().unwrap()).is_err());
        let mut other = bundle();
        other.manifest.format = 3;
        let message = Bundle::decode(&other.encode().unwrap()).unwrap_err();
        assert!(message.contains("format 3"), "{message}");
    }

    #[test]
    fn lengths_are_bounded_before_use() {
        let mut bytes = bundle().encode().unwrap();
        bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Bundle::decode(&bytes).unwrap_err().contains("at most"));
        assert!(Bundle::decode(b"PK").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_a_panic(bytes in vec(any::<u8>(), 0..300)) {
            let _ = Bundle::decode(&bytes);
            let _ = Bundle::decode(&[MAGIC, &bytes[..]].concat());
        }

        #[test]
        fn changed_bytes_decode_without_a_panic(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = bundle().encode().unwrap();
            let _ = Bundle::decode(&bytes[..cut.index(bytes.len())]);
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            if let Ok(bundle) = Bundle::decode(&bytes) {
                let _ = bundle.model.predict(&Matrix::zeros(1, 1));
            }
        }
    }
}
