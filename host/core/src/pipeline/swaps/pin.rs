//! The components that a new run is given: what the log says when it is created, and no other until
//! it ends.

use crate::{
    contract::{Digest, PinnedAlias, PinnedVersion, Stage},
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
        let standing = self.standing();
        if all.revision() == 0 && standing.is_empty() {
            return Ok(());
        }
        // An external stage predicts what is asked of it, but for no other stage.
        let predictor = all.stage(Stage::Infer).current;
        let predictor = predictor.filter(|predictor| !standing.is_own(predictor));
        request.pinned.infer = predictor;
        let key = run.as_bytes();
        let version = request.model.as_ref().map(|model| &model.version);
        for (stage, component) in &mut request.components {
            let state = all.stage(*stage);
            let external = standing.of(*stage).map(|stand| stand.identity);
            let wanted = match (*stage, request.kind) {
                // It predicts for evaluate, and is registered with the version: what is only tried
                // must not outlive its trial.
                (Stage::Infer, RunKind::Train) => predictor,
                (Stage::Infer, _) if version.is_some_and(PinnedVersion::is_onnx) => external,
                (Stage::Infer, _) => state.route(key).or(external).or_else(|| {
                    let builtin = infer.unwrap_or(*component);
                    version.map(|version| state.predictor(version, builtin, key))
                }),
                _ => state.route(key).or(external),
            };
            let wanted = wanted.unwrap_or(*component);
            // What is not by the log is built in or by the settings. A model's own component may be by the
            // log, too.
            if state.has_admitted(&wanted) && !standing.is_own(&wanted) {
                swaps.accepts(&state, &wanted).await?;
            }
            *component = wanted;
        }
        self.pin_externals(request).await
    }

    /// What follows from the external stages of a run.
    async fn pin_externals(&self, request: &mut RunRequest) -> anyhow::Result<()> {
        let standing = self.standing();
        standing.check(request.kind, &request.components)?;
        let train = request.components.get(&Stage::Train);
        if request.kind == RunKind::Train
            && train.is_some_and(|train| standing.is_own(train))
            && let Some(predictor) = standing.predictor()
        {
            request.components.insert(Stage::Infer, predictor);
        }
        for (stage, component) in &request.components {
            if let Some(stand) = standing.of(*stage)
                && stand.identity == *component
            {
                self.store.blobs.put(stand.definition.as_bytes()).await?;
            }
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
            let in_force = request.pinned.infer.filter(|_| !version.is_onnx());
            version.infer = if let Some(infer) = in_force {
                infer
            } else {
                let state = self.swaps().state(Stage::Infer).await?;
                state.own(version, builtin)
            };
        }
        Ok(alias)
    }
}
