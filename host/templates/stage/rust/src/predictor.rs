//! Predictions on request: the bundle is loaded once, then rows are asked often.
//!
//! **This is yours to write.** As it was written by `septet new`, a bundle is a JSON object, and its
//! number `prediction` is the answer for every row.

use std::cell::Cell;

use serde_json::Value;

use crate::component::{
    Component,
    exports::septet::pipeline::predictor::{Error, Feature, Guest, Signature},
    septet::{
        capability::blob_read::Reader,
        pipeline::types::Artifact,
        transform::tables::{Column, Kind, Table, Values},
    },
};

/// Bytes that a bundle may have.
const MOST: u32 = 1 << 20;

thread_local! {
    /// The model: an instance holds one.
    static MODEL: Cell<Option<f64>> = const { Cell::new(None) };
}

impl Guest for Component {
    fn load(bundle: Artifact) -> Result<Signature, Error> {
        let read = |error| Error::Failed(format!("the bundle can't be read: {error:?}"));
        let reader = Reader::open(&bundle.digest).map_err(read)?;
        if bundle.size > u64::from(MOST) {
            return Err(Error::Rejected(format!("the bundle is over {MOST} bytes")));
        }
        let bytes = reader.read(0, MOST).map_err(read)?;
        let model: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Rejected(format!("the bundle is no JSON: {error}")))?;
        let Some(prediction) = model["prediction"].as_f64() else {
            return Err(Error::Rejected("the bundle has no number 'prediction'".to_owned()));
        };
        MODEL.set(Some(prediction));
        Ok(Signature {
            // Columns that `predict` needs: none yet.
            inputs: Vec::new(),
            outputs: vec![Feature {
                name: "prediction".to_owned(),
                kind: Kind::Floats,
                nullable: false,
            }],
        })
    }

    fn predict(batch: Table) -> Result<Table, Error> {
        let Some(prediction) = MODEL.get() else {
            return Err(Error::Failed("no bundle is loaded".to_owned()));
        };
        Ok(Table {
            rows: batch.rows,
            columns: vec![Column {
                name: "prediction".to_owned(),
                values: Values::Floats(vec![prediction; batch.rows as usize]),
                nulls: Vec::new(),
            }],
        })
    }
}
