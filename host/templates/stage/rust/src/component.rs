//! From an invocation to its outcome: inputs are read piece by piece, outputs written, and every error
//! becomes what is to become of the message.

wit_bindgen::generate!({
    path: "wit",
    world: "septet:pipeline/{{stage}}",
    generate_all,
});

use exports::septet::pipeline::stage::Guest;
use septet::{
    capability::{blob_read::Reader, blob_write::Writer, blobs, log},
    pipeline::types::{Artifact, Delay, Invocation, Metric, Outcome, StageError},
};
{{deploy}}use septet::capability::registry_propose::{Proposal, propose};
use serde_json::Value;

use crate::work::{Counted, INPUTS, MEDIA_TYPE, OUTPUTS, document};

/// Bytes that are read at once.
const PIECE: u32 = 1 << 20;

pub(crate) struct Component;

export!(Component);

impl Guest for Component {
    fn run(invocation: Invocation) -> Result<Outcome, StageError> {
        let parameters: Value = serde_json::from_str(&invocation.parameters)
            .map_err(|error| StageError::Rejected(format!("the parameters: {error}")))?;
        for name in INPUTS {
            if invocation.inputs.iter().all(|input| input.name != *name) {
                // Rejected: this input can never work, so it is not tried again.
                return Err(StageError::Rejected(format!("the input '{name}' is missing")));
            }
        }
        let mut inputs = Vec::new();
        let mut bytes = 0;
        for input in &invocation.inputs {
            let counted = count(input)?;
            bytes += counted.bytes;
            inputs.push((input.name.clone(), counted));
        }
{{deploy}}        register(&invocation, &parameters)?;
        let outputs = OUTPUTS.iter().map(|name| {
            let text = document(name, &inputs, &parameters, invocation.seed);
            write(name, text.as_bytes())
        });
        Ok(Outcome {
            outputs: outputs.collect::<Result<_, _>>()?,
            metrics: vec![Metric {
                name: "bytes".to_owned(),
                value: bytes as f64,
            }],
            notes: vec!["{{name}} counts its inputs and does no more yet".to_owned()],
        })
    }
}

/// Reads an input from its first byte to its last.
fn count(input: &Artifact) -> Result<Counted, StageError> {
    let reader = Reader::open(&input.digest).map_err(|error| told(&input.name, error))?;
    let mut counted = Counted::default();
    while counted.bytes < input.size {
        let piece = reader.read(counted.bytes, PIECE);
        let piece = piece.map_err(|error| told(&input.name, error))?;
        if piece.is_empty() {
            return Err(StageError::Failed(format!("'{}' ended before its size", input.name)));
        }
        counted.add(&piece);
        // This is also where the host stops a stage: call it in every long loop.
        log::progress(counted.bytes, Some(input.size));
    }
    Ok(counted)
}

/// Writes an output and names it.
fn write(name: &str, bytes: &[u8]) -> Result<Artifact, StageError> {
    let info = (|| {
        let writer = Writer::create(MEDIA_TYPE)?;
        for piece in bytes.chunks(PIECE as usize) {
            writer.write(piece)?;
        }
        writer.finish()
    })();
    let info = info.map_err(|error| told(name, error))?;
    Ok(Artifact {
        name: name.to_owned(),
        digest: info.digest,
        size: info.size,
        media_type: info.media_type,
    })
}

/// What is to become of the message: a store that is away is tried again, anything else is said.
fn told(name: &str, error: blobs::Error) -> StageError {
    match error {
        blobs::Error::Unavailable(reason) => StageError::Retry(Delay {
            milliseconds: 5000,
            reason: format!("'{name}': the store is not available: {reason}"),
        }),
        blobs::Error::TooLarge(limit) => {
            StageError::Rejected(format!("'{name}' is over the limit of {limit} bytes"))
        }
        blobs::Error::NoSuchBlob => StageError::Failed(format!("'{name}' is not there")),
        blobs::Error::AccessDenied => StageError::Failed(format!("'{name}' is not granted")),
        blobs::Error::Other(reason) => StageError::Failed(format!("'{name}': {reason}")),
    }
}
{{deploy}}
{{deploy}}/// Proposes the bundle as a version of its model. The alias stays where it is: whether it is to move
{{deploy}}/// is what the evaluation says, and yours to read.
{{deploy}}fn register(invocation: &Invocation, parameters: &Value) -> Result<(), StageError> {
{{deploy}}    let bundle = invocation.inputs.iter().find(|input| input.name == "bundle");
{{deploy}}    let (Some(bundle), Some(model)) = (bundle, parameters["model"].as_str()) else {
{{deploy}}        return Err(StageError::Rejected("the parameter 'model' is missing".to_owned()));
{{deploy}}    };
{{deploy}}    let proposal = Proposal {
{{deploy}}        model: model.to_owned(),
{{deploy}}        bundle_digest: bundle.digest.clone(),
{{deploy}}        summary: "{}".to_owned(),
{{deploy}}        change: None,
{{deploy}}    };
{{deploy}}    propose(&proposal).map_err(|error| StageError::Failed(format!("the proposal: {error:?}")))
{{deploy}}}
