//! Bindings and mapping.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "septet:pipeline/infer",
        with: {
            "septet:pipeline/types@0.1.0": septet_guest::bindings::septet::pipeline::types,
            "septet:transform/tables@0.1.0": septet_guest::bindings::septet::transform::tables,
            "septet:capability/blobs@0.1.0": septet_guest::bindings::septet::capability::blobs,
            "septet:capability/blob-read@0.1.0": septet_guest::bindings::septet::capability::blob_read,
            "septet:capability/blob-write@0.1.0": septet_guest::bindings::septet::capability::blob_write,
            "septet:capability/transforms@0.1.0": septet_guest::bindings::septet::capability::transforms,
            "septet:capability/log@0.1.0": septet_guest::bindings::septet::capability::log,
        },
    });
}

use std::cell::RefCell;

use bindings::exports::septet::pipeline::{predictor, stage};
use septet_guest::{
    Artifact, Invocation, Metric, Outcome, StageError, ask,
    bindings::septet::transform::tables,
    blob::{BlobReader, BlobWriter},
    call,
    fault::{reason, settle},
    log,
    tables::{kind, to_kit, to_wit},
};
use septet_kit::arrow;

use crate::{batch, predictor::Predictor};

/// Bytes of a bundle at most.
const MAX_BUNDLE: u64 = 1 << 30;

thread_local! {
    /// The model that `load` was given. Of the host's making, not of a request's.
    static LOADED: RefCell<Option<Predictor>> = const { RefCell::new(None) };
}

struct Component;

impl stage::Guest for Component {
    fn run(invocation: Invocation) -> Result<Outcome, StageError> {
        settle(run(&invocation))
    }
}

impl predictor::Guest for Component {
    fn load(bundle: Artifact) -> Result<predictor::Signature, predictor::Error> {
        let predictor = settle(open(&bundle)).map_err(ended)?;
        let signature = predictor::Signature {
            inputs: predictor
                .inputs()
                .iter()
                .map(|input| predictor::Feature {
                    name: input.name.clone(),
                    kind: kind(input.kind),
                    nullable: true,
                })
                .collect(),
            outputs: predictor
                .outputs()
                .into_iter()
                .map(|field| predictor::Feature {
                    name: field.name,
                    kind: kind(field.kind),
                    nullable: false,
                })
                .collect(),
        };
        LOADED.set(Some(predictor));
        Ok(signature)
    }

    fn predict(batch: tables::Table) -> Result<tables::Table, predictor::Error> {
        LOADED.with_borrow(|loaded| {
            let predictor = loaded
                .as_ref()
                .ok_or_else(|| predictor::Error::Failed("no model is loaded".to_owned()))?;
            let predicted = to_kit(batch).and_then(|rows| predictor.predict(&rows, ask::transform));
            settle(predicted).map(to_wit).map_err(ended)
        })
    }
}

bindings::export!(Component with_types_in bindings);

fn ended(error: StageError) -> predictor::Error {
    match error {
        StageError::Rejected(reason) => predictor::Error::Rejected(reason),
        error => predictor::Error::Failed(reason(&error).to_owned()),
    }
}

fn open(bundle: &Artifact) -> Result<Predictor, String> {
    let bytes = BlobReader::open(bundle)?.all(MAX_BUNDLE)?;
    Predictor::load(&bytes, ask::transform)
}

fn run(invocation: &Invocation) -> Result<Outcome, String> {
    let parameters: batch::Parameters = call::parameters(invocation)?;
    let predictor = open(call::input(invocation, "bundle")?)?;
    let parts: Vec<_> = call::inputs(invocation, "table")
        .map(|part| arrow::Reader::open(BlobReader::open(part)?))
        .collect();
    if parts.is_empty() {
        return Err("the input 'table' is missing".to_owned());
    }
    let (file, rows) = batch::predict(
        &predictor,
        parts,
        parameters.format,
        BlobWriter::create(parameters.format.media_type())?,
        ask::transform,
        |rows| log::progress(rows, None),
    )?;
    Ok(Outcome {
        outputs: vec![file.finish("predictions")?],
        metrics: vec![Metric {
            name: "rows".to_owned(),
            value: rows as f64,
        }],
        notes: Vec::new(),
    })
}
