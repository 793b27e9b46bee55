//! External stages among a process's stages: which of them it may run, what of theirs is reused, and what
//! becomes of a model of theirs.

use anyhow::Context as _;

use crate::{
    capability::{Scope, log::Sink},
    contract::{Artifact, Call, Digest, Disposition, Executed, Origin, Stage},
    external::{self, External, Externals, ONNX},
};

use super::{Control, Pulse, StageExecutor, run::Own};

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
        let executed = external.execute(call, &around).await?;
        self.bundle(call, executed, control).await
    }

    /// The infer component of ONNX models with its digest, which is asked for where it is needed. Without it
    /// such models are left as they are.
    #[must_use]
    pub fn with_onnx(mut self, component: Own) -> Self {
        self.onnx = Some(component);
        self
    }

    /// Makes a bundle of an ONNX model and what `inputs` say of the rows that it takes: `preprocessing`,
    /// `reference`, `sample` and `train` of the built-in preprocess, or `table`s of raw rows, as
    /// `parameters` say. It is read by the component of such models, in its sandbox.
    pub async fn import_onnx(
        &self,
        mut onnx: Artifact,
        inputs: Vec<Artifact>,
        (parameters, seed): (String, u64),
        (origin, control): (Origin, &Control),
    ) -> anyhow::Result<Executed> {
        let component = self.keep_onnx().await?;
        let component = component.context("this septet was built without infer for ONNX")?;
        "onnx".clone_into(&mut onnx.name);
        let call = Call {
            stage: Stage::Infer,
            component,
            inputs: std::iter::once(onnx).chain(inputs).collect(),
            aliases: Vec::new(),
            parameters,
            seed,
            infer: component,
            transforms: Vec::new(),
            origin,
        };
        self.execute_component(call, control, None).await
    }

    /// Sees to it that the component of ONNX models is in the store, where whoever predicts finds it.
    pub async fn keep_onnx(&self) -> anyhow::Result<Option<Digest>> {
        let Some((digest, bytes)) = self.onnx.map(|onnx| onnx()) else {
            return Ok(None);
        };
        self.catalog.keep(&digest, bytes).await?;
        Ok(Some(digest))
    }

    /// What an external train gave, its ONNX model as a bundle: of one that is given the features of the
    /// built-in preprocess, which serving needs beside it. Another stays what it is.
    async fn bundle(
        &self,
        call: &Call,
        mut executed: Executed,
        control: &Control,
    ) -> anyhow::Result<Executed> {
        const PARTS: [&str; 4] = ["preprocessing", "reference", "sample", "train"];
        let parts = call
            .inputs
            .iter()
            .filter(|i| PARTS.contains(&i.name.as_str()));
        let parts: Vec<Artifact> = parts.cloned().collect();
        let Disposition::Ok(outcome) = &mut executed.disposition else {
            return Ok(executed);
        };
        let is_onnx = |output: &&mut Artifact| output.name == "bundle" && output.media_type == ONNX;
        let Some(model) = outcome.outputs.iter_mut().find(is_onnx) else {
            return Ok(executed);
        };
        if call.stage != Stage::Train || self.onnx.is_none() || parts.len() < PARTS.len() {
            return Ok(executed);
        }
        let given = ("{}".to_owned(), call.seed);
        let from = (call.origin.clone(), control);
        let imported = self.import_onnx(model.clone(), parts, given, from).await?;
        match imported.disposition {
            Disposition::Ok(made) => {
                let mut outputs = made.outputs.into_iter();
                let bundle = outputs.find(|output| output.name == "bundle");
                *model = bundle.context("infer for ONNX made no bundle")?;
                outcome.notes.extend(made.notes);
            }
            other => executed.disposition = other,
        }
        Ok(executed)
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
