//! Bindings and mapping, for this crate's component and for others that predict as it does.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
pub mod bindings {
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
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "septet_infer::component::bindings",
    });
}

use std::cell::RefCell;

use bindings::exports::septet::pipeline::predictor;
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

use crate::{
    batch::{self, Parameters, Part, Sinks},
    predictor::{Open, Predictor},
};

/// Bytes of a bundle at most.
const MAX_BUNDLE: u64 = 1 << 30;

thread_local! {
    /// The model that `load` was given. Of the host's making, not of a request's.
    static LOADED: RefCell<Option<Predictor>> = const { RefCell::new(None) };
}

/// What `stage` answers: predictions to a file. `open` makes the engine of an ONNX model, where there is one.
pub fn stage(invocation: &Invocation, open: Option<Open>) -> Result<Outcome, StageError> {
    settle(run(invocation, open))
}

/// What `predictor.load` answers.
pub fn load(
    bundle: &Artifact,
    open: Option<Open>,
) -> Result<predictor::Signature, predictor::Error> {
    let predictor = settle(read(bundle, open)).map_err(ended)?;
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

/// What `predictor.predict` answers.
pub fn predict(batch: tables::Table) -> Result<tables::Table, predictor::Error> {
    LOADED.with_borrow(|loaded| {
        let predictor = loaded
            .as_ref()
            .ok_or_else(|| predictor::Error::Failed("no model is loaded".to_owned()))?;
        let predicted = to_kit(batch).and_then(|rows| {
            predictor.predict(&rows, ask::transform, &mut |done| {
                log::progress(done as u64, Some(rows.rows as u64));
            })
        });
        settle(predicted).map(to_wit).map_err(ended)
    })
}

/// The component of Septet's own models.
#[cfg(feature = "component")]
#[allow(unreachable_pub, reason = "what exports a component is generated")]
mod own {
    use super::{
        Artifact, Invocation, Outcome, StageError, bindings, load, predict, predictor, stage,
        tables,
    };

    struct Component;

    impl bindings::exports::septet::pipeline::stage::Guest for Component {
        fn run(invocation: Invocation) -> Result<Outcome, StageError> {
            stage(&invocation, None)
        }
    }

    impl predictor::Guest for Component {
        fn load(bundle: Artifact) -> Result<predictor::Signature, predictor::Error> {
            load(&bundle, None)
        }

        fn predict(batch: tables::Table) -> Result<tables::Table, predictor::Error> {
            predict(batch)
        }
    }

    bindings::export!(Component with_types_in super::bindings);
}

fn ended(error: StageError) -> predictor::Error {
    match error {
        StageError::Rejected(reason) => predictor::Error::Rejected(reason),
        error => predictor::Error::Failed(reason(&error).to_owned()),
    }
}

fn read(bundle: &Artifact, open: Option<Open>) -> Result<Predictor, String> {
    let bytes = BlobReader::open(bundle)?.all(MAX_BUNDLE)?;
    // Of the rows to come none is done.
    Predictor::load(&bytes, open, ask::transform, &mut |_| {
        log::progress(0, None);
    })
}

fn run(invocation: &Invocation, open: Option<Open>) -> Result<Outcome, String> {
    let parameters: Parameters = call::parameters(invocation)?;
    let predictor = read(call::input(invocation, "bundle")?, open)?;
    let parts = parts(invocation)?;
    let too_wide = batch::too_wide(&predictor).filter(|_| parameters.features);
    // A model that takes raw columns has no features of its own.
    let has_features = !predictor.features().is_empty();
    let features = parameters.features && has_features && too_wide.is_none();
    let sinks = Sinks {
        format: parameters.format,
        predictions: BlobWriter::create(parameters.format.media_type())?,
        features: features
            .then(|| BlobWriter::create(arrow::MEDIA_TYPE))
            .transpose()?,
    };
    let parts = parts.into_iter().map(|(table, quarantine)| Part {
        batches: BlobReader::open(table).and_then(arrow::Reader::open),
        quarantine,
    });
    let predicted = batch::predict(&predictor, parts, sinks, ask::transform, |rows| {
        log::progress(rows, None);
    })?;
    let notes = predicted.notes().into_iter().chain(too_wide).collect();
    let metrics = [
        ("rows", predicted.rows),
        ("failed", predicted.failed),
        ("quarantined", predicted.quarantined),
    ];
    let mut outputs = vec![predicted.predictions.finish("predictions")?];
    if let Some(features) = predicted.features {
        outputs.push(features.finish("features")?);
    }
    let metrics = metrics.into_iter().map(|(name, value)| Metric {
        name: name.to_owned(),
        value: value as f64,
    });
    Ok(Outcome {
        outputs,
        metrics: metrics.collect(),
        notes,
    })
}

/// The tables, each with the quarantine that comes after it.
fn parts(invocation: &Invocation) -> Result<Vec<(&Artifact, Option<BlobReader>)>, String> {
    let mut parts: Vec<(&Artifact, Option<BlobReader>)> = Vec::new();
    for input in &invocation.inputs {
        match (input.name.as_str(), parts.last_mut()) {
            ("table", _) => parts.push((input, None)),
            ("quarantine", Some((_, none @ None))) => *none = Some(BlobReader::open(input)?),
            ("quarantine", _) => {
                return Err("an input 'quarantine' does not come after its 'table'".to_owned());
            }
            _ => {}
        }
    }
    if parts.is_empty() {
        return Err("the input 'table' is missing".to_owned());
    }
    Ok(parts)
}
