//! Components that run for another component: transforms and models, kept warm for one call.

use std::collections::{BTreeMap, btree_map::Entry};

use async_trait::async_trait;

use super::{
    catalog::LoadError,
    ended::{Ended, HostFault},
    instance::Around,
    limits::Exceeded,
    predictor::{PredictError, Predictor},
    transform::Transform,
};
use crate::{
    capability::{
        Model,
        tables::Table,
        transforms::{Refusal, Sandboxes},
    },
    contract::Digest,
};

/// The sandboxes of one call.
pub(crate) struct Warm {
    around: Around,
    transforms: BTreeMap<Digest, Transform>,
    models: BTreeMap<Digest, Predictor>,
}

impl Warm {
    pub(crate) const fn new(around: Around) -> Self {
        Self {
            around,
            transforms: BTreeMap::new(),
            models: BTreeMap::new(),
        }
    }
}

#[async_trait]
impl Sandboxes for Warm {
    async fn apply(
        &mut self,
        digest: &Digest,
        batch: Table,
    ) -> wasmtime::Result<Result<Table, Refusal>> {
        let open = self.transforms.len() as u64;
        let transform = match self.transforms.entry(*digest) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let most = self.around.limits.transforms;
                if let Err(limit) = Exceeded::check("transforms", most, open + 1) {
                    return Ok(Err(Refusal::Limit(limit.to_string())));
                }
                let busy = self.around.pulse.enter()?;
                let prepared = match self.around.catalog.transform(digest).await {
                    Ok(prepared) => prepared,
                    Err(error) => return refuse_load(error),
                };
                drop(busy);
                match Transform::open(prepared, &self.around).await {
                    Ok(transform) => entry.insert(transform),
                    Err(ended) => return refuse(ended, "the transform"),
                }
            }
        };
        match transform.apply(batch).await {
            Ok(answer) => Ok(answer),
            // The instance is gone with it, and the next batch has another.
            Err(ended) => refuse(ended, "the transform"),
        }
    }

    fn renew(&mut self) {
        for transform in self.transforms.values_mut() {
            transform.renew();
        }
    }

    async fn predict(
        &mut self,
        model: &Model,
        batch: Table,
    ) -> wasmtime::Result<Result<Table, Refusal>> {
        let digest = model.bundle.digest;
        let open = self.models.len() as u64;
        let predictor = match self.models.entry(digest) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let most = self.around.limits.models;
                if let Err(limit) = Exceeded::check("models", most, open + 1) {
                    return Ok(Err(Refusal::Other(limit.to_string())));
                }
                match Predictor::open(&model.infer, &model.bundle, &self.around).await {
                    Ok(predictor) => entry.insert(predictor),
                    Err(error) => return refuse_prediction(error),
                }
            }
        };
        match predictor.call(batch).await {
            Ok(predictions) => Ok(Ok(predictions)),
            Err(error) => {
                if !matches!(error, PredictError::Rejected(_)) {
                    self.models.remove(&digest);
                }
                refuse_prediction(error)
            }
        }
    }
}

/// What becomes of the asking component when a sandbox ended: a fault of the host or a stop ends
/// it too; all else is an answer.
fn refuse<T>(ended: Ended, who: &str) -> wasmtime::Result<Result<T, Refusal>> {
    match ended {
        Ended::Host(error) => Err(wasmtime::Error::new(HostFault(error))),
        Ended::Stopped(stopped) => Err(wasmtime::Error::new(stopped)),
        // The one limit that is the whole call's.
        Ended::Limit(limit) if limit.limit == "wall_seconds" => Err(wasmtime::Error::new(limit)),
        Ended::Limit(limit) => Ok(Err(Refusal::Limit(limit.to_string()))),
        Ended::Trap(cause) => Ok(Err(Refusal::Other(format!("{who} ended early: {cause}")))),
    }
}

fn refuse_load<T>(error: LoadError) -> wasmtime::Result<Result<T, Refusal>> {
    match error {
        LoadError::Missing(_) => Ok(Err(Refusal::Unknown)),
        misfit @ LoadError::Misfit { .. } => Ok(Err(Refusal::Other(misfit.to_string()))),
        LoadError::Host(error) => Err(wasmtime::Error::new(HostFault(error))),
    }
}

fn refuse_prediction<T>(error: PredictError) -> wasmtime::Result<Result<T, Refusal>> {
    match error {
        PredictError::Rejected(reason) => Ok(Err(Refusal::Rejected(reason))),
        PredictError::Failed(reason) => Ok(Err(Refusal::Other(reason))),
        PredictError::Load(error) => refuse_load(error),
        PredictError::Ended(ended) => refuse(ended.0, "the model"),
    }
}
