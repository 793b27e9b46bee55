//! External stages among a process's stages: which of them it may run, and what of theirs is reused.

use crate::{
    capability::{Scope, log::Sink},
    contract::{Call, Digest, Executed},
    external::{self, External, Externals},
};

use super::{Control, Pulse, StageExecutor};

impl StageExecutor {
    /// The external stages that this process may run, which are those of its settings.
    #[must_use]
    pub fn with_externals(mut self, externals: Externals) -> Self {
        self.externals = externals;
        self
    }

    /// The external stages that this process may run.
    pub const fn externals(&self) -> &Externals {
        &self.externals
    }

    /// The effective grants of a call in one canonical text.
    pub fn grants(&self, call: &Call) -> String {
        let Some(external) = self.externals.get(&call.component) else {
            return self.catalog.grants().canonical(call.stage);
        };
        // An external stage may touch what it likes. Where nothing says what it was, its work is no other
        // call's: it is keyed by the call.
        if external.is_reusable() {
            return "external".to_owned();
        }
        format!("external of {} {}", call.origin.run, call.origin.unit)
    }

    /// One call of an external stage: nothing of it runs in here.
    pub(super) async fn execute_external(
        &self,
        external: &External,
        call: &Call,
        control: &Control,
    ) -> anyhow::Result<Executed> {
        let pulse = Pulse::new(control.clone(), self.limits.wall_seconds);
        let log = Sink::new(call.stage.to_string(), call.origin.clone(), &self.limits);
        let around = external::Around {
            externals: &self.externals,
            blobs: &self.blobs,
            limits: &self.limits,
            pulse: &pulse,
            log,
            scope: Scope::of(call, self.catalog.grants().labels(call.stage)),
            apart: self.apart,
        };
        external.execute(call, &around).await
    }

    /// Whether the blob is what stands for an external stage, and no component.
    pub(super) async fn is_definition(&self, component: &Digest) -> bool {
        let Ok(reader) = self.blobs.open(component).await else {
            return false;
        };
        let begins = external::BEGINS.len() as u32;
        let read = reader.read(0, begins).await;
        read.is_ok_and(|bytes| bytes == external::BEGINS)
    }
}
