//! A model in its sandbox: its infer component, loaded once and asked often.
//!
//! The same path serves capability `models` and online serving.

use std::{fmt, sync::Arc};

use super::{
    catalog::{Exports, LoadError},
    ended::Ended,
    instance::{Around, Open, Share},
    limits::{Exceeded, Limits},
};
use crate::{
    capability::{
        Scope,
        bindings::{
            exports::septet::pipeline::predictor::{Error, Guest, Signature},
            septet::pipeline::types,
        },
        clean, table,
        tables::Table,
    },
    contract::{Artifact, Digest, Stage},
};

/// Why there are no predictions.
#[derive(Debug)]
pub enum PredictError {
    /// The bundle or the rows can't be used.
    Rejected(String),
    /// The infer component's fault.
    Failed(String),
    /// The infer component can't be had.
    Load(LoadError),
    /// The infer component came to no answer, or the host failed.
    Ended(EarlyEnd),
}

/// How an infer component ended without an answer.
#[derive(Debug)]
pub struct EarlyEnd(pub(crate) Ended);

impl EarlyEnd {
    /// Whether it was the host's fault, and not the component's.
    pub const fn is_fault(&self) -> bool {
        matches!(self.0, Ended::Host(_))
    }
}

impl fmt::Display for PredictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(reason) | Self::Failed(reason) => f.write_str(reason),
            Self::Load(error) => write!(f, "{error}"),
            Self::Ended(EarlyEnd(ended)) => write!(f, "{ended}"),
        }
    }
}

impl std::error::Error for PredictError {}

impl From<Ended> for PredictError {
    fn from(ended: Ended) -> Self {
        Self::Ended(EarlyEnd(ended))
    }
}

/// A loaded model.
pub struct Predictor {
    open: Open,
    guest: Guest,
    signature: Signature,
    around: Around,
    limits: Arc<Limits>,
}

impl Predictor {
    /// Loads `bundle` into a fresh instance of the infer component.
    pub(crate) async fn open(
        infer: &Digest,
        bundle: &Artifact,
        around: &Around,
    ) -> Result<Self, PredictError> {
        let ended = |error| PredictError::from(Ended::from_error(error, ""));
        let busy = around.pulse.enter().map_err(ended)?;
        let prepared = around.catalog.stage(Stage::Infer, infer).await;
        let prepared = prepared.map_err(PredictError::Load)?;
        drop(busy);
        let Exports::Stage {
            predictor: Some(indices),
            ..
        } = &prepared.exports
        else {
            let reason = "it does not export septet:pipeline/predictor";
            return Err(PredictError::Failed(reason.to_owned()));
        };
        let share = Share::predictor(&around.limits, prepared.trust);
        let scope = Scope::of_predictor(bundle, around.transforms.clone());
        let name = format!("predictor of {}", bundle.digest.short());
        let session = around.session(around.log(name), scope, &share);
        let mut open = Open::new(&prepared, session, &share, &around.pulse);
        let artifact = types::Artifact::from(bundle);
        let loaded = async {
            let instance = open.instantiate(&prepared).await?;
            let guest = indices.load(&mut open.store, &instance)?;
            let signature = guest.call_load(&mut open.store, &artifact).await?;
            Ok::<_, wasmtime::Error>((guest, signature))
        };
        let limits = Arc::clone(&around.limits);
        match loaded.await {
            Ok((guest, Ok(signature))) => {
                bound(&signature, &limits).map_err(|limit| {
                    PredictError::Failed(format!("the model's signature can't be used: {limit}"))
                })?;
                Ok(Self {
                    open,
                    guest,
                    signature,
                    around: around.clone(),
                    limits,
                })
            }
            Ok((_, Err(error))) => Err(refusal(error, limits.text_bytes)),
            Err(error) => Err(open.ended(error).into()),
        }
    }

    /// The columns that the model needs, and those that it gives.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The most memory that the instance has had at a time.
    pub fn peak_memory_bytes(&self) -> u64 {
        self.open.store.data().limiter.peak()
    }

    /// Predictions for the rows of `batch`, in their order. After any error but `Rejected` the
    /// predictor is not to be used again.
    pub async fn predict(&mut self, batch: Table) -> Result<Table, PredictError> {
        self.around.pulse.restart();
        if let Err(problem) = table::check(&batch, &self.limits) {
            return Err(PredictError::Rejected(problem.to_string()));
        }
        let deadline = self.around.pulse.deadline().into();
        let pulse = Arc::clone(&self.around.pulse);
        match tokio::time::timeout_at(deadline, self.call(batch)).await {
            Ok(answer) => answer,
            Err(_) => Err(Ended::from_error(pulse.overdue(), "").into()),
        }
    }

    /// As `predict`, within a call that has a deadline of its own and has checked the batch.
    pub(crate) async fn call(&mut self, batch: Table) -> Result<Table, PredictError> {
        self.open.renew();
        let predicted = self.guest.call_predict(&mut self.open.store, &batch).await;
        let mut given = match predicted {
            Ok(Ok(given)) => given,
            Ok(Err(error)) => return Err(refusal(error, self.limits.text_bytes)),
            Err(error) => return Err(self.open.ended(error).into()),
        };
        if let Err(problem) = table::check(&given, &self.limits) {
            let reason = format!("the predictions can't be used: {problem}");
            return Err(PredictError::Failed(reason));
        }
        if given.rows != batch.rows {
            let (given, rows) = (given.rows, batch.rows);
            let reason = format!("the model gave {given} predictions for {rows} rows");
            return Err(PredictError::Failed(reason));
        }
        table::canonicalize(&mut given);
        Ok(given)
    }
}

/// A signature is kept as long as the model, and shown: it is held to the limits of a batch.
pub(super) fn bound(signature: &Signature, limits: &Limits) -> Result<(), Exceeded> {
    let Signature { inputs, outputs } = signature;
    let columns = inputs.len().max(outputs.len()) as u64;
    Exceeded::check("batch_columns", limits.batch_columns, columns)?;
    for feature in inputs.iter().chain(outputs) {
        Exceeded::check("name_bytes", limits.name_bytes, feature.name.len() as u64)?;
    }
    Ok(())
}

pub(super) fn refusal(error: Error, limit: u64) -> PredictError {
    match error {
        Error::Rejected(reason) => PredictError::Rejected(clean(&reason, limit)),
        Error::Failed(reason) => PredictError::Failed(clean(&reason, limit)),
    }
}
