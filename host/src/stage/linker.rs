//! One linker for each set of grants: what is not granted is not there.

use std::collections::BTreeSet;

use wasmtime::{Engine, component::Linker};

use super::{grants::Capability, session::Session, wasi};
use crate::capability::{
    blob_list, blob_read, blob_write, log, models, queue, registry_propose, registry_read,
    transforms,
};

/// A linker of the granted capabilities and the inert WASI.
pub(crate) fn linker(
    engine: &Engine,
    granted: &BTreeSet<Capability>,
) -> wasmtime::Result<Linker<Session>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    for capability in granted {
        match capability {
            Capability::BlobList => blob_list::add_to_linker(&mut linker)?,
            Capability::BlobRead => blob_read::add_to_linker(&mut linker)?,
            Capability::BlobWrite => blob_write::add_to_linker(&mut linker)?,
            Capability::Transforms => transforms::add_to_linker(&mut linker)?,
            Capability::Models => models::add_to_linker(&mut linker)?,
            Capability::Queue => queue::add_to_linker(&mut linker)?,
            Capability::RegistryRead => registry_read::add_to_linker(&mut linker)?,
            Capability::RegistryPropose => registry_propose::add_to_linker(&mut linker)?,
            Capability::Log => log::add_to_linker(&mut linker)?,
        }
    }
    Ok(linker)
}
