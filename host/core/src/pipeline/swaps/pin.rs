//! The components that a new run is given: what the log says when it is created, and no other until
//! it ends.

use crate::{
    contract::{Digest, PinnedAlias, Stage},
    pipeline::{
        run::{RunKind, RunRequest},
        view::Pipeline,
    },
};

impl Pipeline {
    /// Puts what is in force in the place of the built-in components, by which the request was made;
    /// `infer` is the built-in one of that stage, where the request has its model's own by now. A
    /// component that this process does not take refuses the run.
    pub(in crate::pipeline) async fn pin_components(
        &self,
        run: &str,
        request: &mut RunRequest,
        infer: Option<Digest>,
    ) -> anyhow::Result<()> {
        let swaps = self.swaps();
        let all = swaps.all().await?;
        if all.revision() == 0 {
            return Ok(());
        }
        request.pinned.infer = all.stage(Stage::Infer).current;
        let key = run.as_bytes();
        for (stage, component) in &mut request.components {
            let state = all.stage(*stage);
            let wanted = match (*stage, request.kind) {
                // It predicts for evaluate, and is registered with the version: what is only tried
                // must not outlive its trial.
                (Stage::Infer, RunKind::Train) => state.current,
                (Stage::Infer, _) => {
                    Some(state.predictor(*component, infer.unwrap_or(*component), key))
                }
                _ => state.route(key),
            };
            let wanted = wanted.unwrap_or(*component);
            // What is not by the log is built in. A model's own component may be by the log, too.
            if state.has_admitted(&wanted) {
                swaps.accepts(&state, &wanted).await?;
            }
            *component = wanted;
        }
        Ok(())
    }

    /// The champion as a run of `request` predicts with it: with the infer component that the run
    /// itself was given where one is in force, else with its own.
    pub(in crate::pipeline) async fn with_predictor(
        &self,
        request: &RunRequest,
        mut alias: PinnedAlias,
    ) -> anyhow::Result<PinnedAlias> {
        if let Some(version) = &mut alias.version {
            // By what was in force when the run was created, and not by what is now.
            let builtin = request.component(Stage::Infer)?;
            version.infer = if let Some(infer) = request.pinned.infer {
                infer
            } else {
                let state = self.swaps().state(Stage::Infer).await?;
                state.own(version.infer, builtin)
            };
        }
        Ok(alias)
    }
}
