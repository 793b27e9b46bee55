//! The state of one call, as the capabilities see it.

use std::{collections::BTreeMap, sync::Arc};

use wasmtime::component::{HasData, ResourceTable};

use super::{Meter, Scope, blob_write, log, queue, registry_propose};
use crate::{
    contract::Digest,
    stage::{Busy, Capability, Limits},
    store::{BlobReader, Blobs},
};

/// All that the capabilities of one component keep.
pub(crate) struct Context {
    pub(crate) limits: Arc<Limits>,
    pub(crate) meter: Meter,
    pub(crate) scope: Scope,
    pub(crate) blobs: Arc<dyn Blobs>,
    /// The blobs that the call has opened; they stay open until it ends.
    pub(crate) opened: BTreeMap<Digest, Arc<dyn BlobReader>>,
    pub(crate) written: blob_write::Written,
    pub(crate) outbox: queue::Outbox,
    pub(crate) proposals: registry_propose::Proposals,
    pub(crate) log: log::Sink,
    pub(crate) sandboxes: Box<dyn super::transforms::Sandboxes>,
}

impl Context {
    /// Begins a host function of `capability`.
    pub(crate) fn enter(&mut self, capability: Capability) -> wasmtime::Result<Busy> {
        self.meter.enter(capability)
    }
}

/// What a host function works on: the call's state and its open resources.
pub(crate) struct View<'a> {
    pub(crate) context: &'a mut Context,
    pub(crate) table: &'a mut ResourceTable,
}

/// A store's data that has a [`View`].
pub(crate) trait Viewed: Send + 'static {
    /// The view.
    fn view(&mut self) -> View<'_>;
}

/// Tells wasmtime that the capabilities work on a [`View`].
pub(crate) struct Granted;

impl HasData for Granted {
    type Data<'a> = View<'a>;
}
