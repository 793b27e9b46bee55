//! The user's transforms, each run in a sandbox of its own.

use async_trait::async_trait;
use wasmtime::component::Linker;

use super::{
    Answer, Granted, View, Viewed,
    bindings::septet::capability::transforms::{self, Error, Host},
    table,
    tables::Table,
};
use crate::{contract::Digest, stage::Capability};

/// Runs other components for a call, and keeps them warm until it ends.
///
/// An error of the result is the host's fault or a stop, and ends the call; a refusal goes to the
/// component that asked.
#[async_trait]
pub(crate) trait Sandboxes: Send {
    /// The batch through the transform.
    async fn apply(
        &mut self,
        transform: &Digest,
        batch: Table,
    ) -> wasmtime::Result<Result<Table, Refusal>>;

    /// Begins another call of the component that asks: what is counted for a call begins anew.
    fn renew(&mut self);

    /// Predictions for the rows of the batch.
    async fn predict(
        &mut self,
        model: &super::Model,
        batch: Table,
    ) -> wasmtime::Result<Result<Table, Refusal>>;
}

/// Why a sandbox gave no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such component or blob.
    Unknown,
    /// A limit was met.
    Limit(String),
    /// The rows are not to its taste.
    Rejected(String),
    /// It broke, or broke the contract.
    Other(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::Unknown,
            Refusal::Limit(limit) => Self::Limit(limit),
            Refusal::Rejected(reason) => Self::Rejected(reason),
            Refusal::Other(reason) => Self::Other(reason),
        }
    }
}

impl Host for View<'_> {
    async fn apply(&mut self, digest: String, batch: Table) -> Answer<Table, Error> {
        let busy = self.context.enter(Capability::Transforms)?;
        let Ok(digest) = digest.parse::<Digest>() else {
            return Ok(Err(Error::AccessDenied));
        };
        if !self.context.scope.transforms.contains(&digest) {
            return Ok(Err(Error::AccessDenied));
        }
        if let Err(problem) = table::check(&batch, &self.context.limits) {
            return Ok(Err(Refusal::from(problem).into()));
        }
        // From here on a component is at work again, and not the host.
        drop(busy);
        let applied = self.context.sandboxes.apply(&digest, batch).await?;
        Ok(applied.map_err(Error::from))
    }
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    transforms::add_to_linker::<T, Granted>(linker, T::view)
}
