//! The registry of models, as it was pinned when the invocation began.

use wasmtime::component::Linker;

use super::{
    Answer, Granted, View, Viewed,
    bindings::septet::capability::registry_read::{self, Error, Host, Version},
};
use crate::{contract::PinnedVersion, stage::Capability};

impl From<&PinnedVersion> for Version {
    fn from(version: &PinnedVersion) -> Self {
        Self {
            number: version.number,
            bundle_digest: version.bundle.to_string(),
            summary: version.summary.clone(),
        }
    }
}

impl Host for View<'_> {
    async fn alias(&mut self, model: String, alias: String) -> Answer<Option<Version>, Error> {
        let _busy = self.context.enter(Capability::RegistryRead)?;
        let pinned = self.context.scope.alias(&model, &alias);
        let version = pinned.map(|pinned| pinned.version.as_ref().map(Version::from));
        Ok(version.ok_or(Error::AccessDenied))
    }
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    registry_read::add_to_linker::<T, Granted>(linker, T::view)
}
