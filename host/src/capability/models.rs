//! Predictions of a model, made by that model's own infer component: there is one prediction
//! path.

use wasmtime::component::Linker;

use super::{
    Answer, Granted, View, Viewed,
    bindings::septet::capability::models::{self, Error, Host},
    table,
    tables::Table,
    transforms::Refusal,
};
use crate::{contract::Digest, stage::Capability};

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::Unknown,
            Refusal::Rejected(reason) => Self::Rejected(reason),
            Refusal::Limit(reason) | Refusal::Other(reason) => Self::Other(reason),
        }
    }
}

impl Host for View<'_> {
    async fn predict(&mut self, bundle_digest: String, batch: Table) -> Answer<Table, Error> {
        let busy = self.context.enter(Capability::Models)?;
        let Ok(digest) = bundle_digest.parse::<Digest>() else {
            return Ok(Err(Error::AccessDenied));
        };
        let context = &mut *self.context;
        let Some(model) = context.scope.models.get(&digest) else {
            return Ok(Err(Error::AccessDenied));
        };
        if let Err(problem) = table::check(&batch, &context.limits) {
            return Ok(Err(Refusal::from(problem).into()));
        }
        // From here on a component is at work again, and not the host.
        drop(busy);
        let predicted = context.sandboxes.predict(model, batch).await?;
        Ok(predicted.map_err(Error::from))
    }
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    models::add_to_linker::<T, Granted>(linker, T::view)
}
