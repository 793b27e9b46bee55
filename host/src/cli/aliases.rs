//! `septet models promote` and `rollback`: a person moves the champion, to a model that works.

use anyhow::{Context as _, bail};
use septet::{
    contract::Stage,
    pipeline::{ModelRef, Selector, registry::Version},
    store::Mode,
};
use serde_json::json;

use super::{
    drawing::Drawing,
    output,
    session::{Origin, Session},
};

/// The alias that promote and rollback move.
pub(crate) const CHAMPION: &str = "champion";

/// Makes a version the champion.
pub(crate) async fn promote(origin: &Origin, model: &str, reason: &str) -> anyhow::Result<()> {
    let ModelRef { name, selector } = model.parse()?;
    let Selector::Version(version) = selector else {
        bail!("which version of {name}? say {name}@VERSION");
    };
    let session = origin.session(Mode::Existing).await?;
    let registry = session.pipeline.registry();
    let state = registry.existing(&name).await?;
    load_test(&session, &name, state.find(&selector)?).await?;
    let who = &origin.environment.user;
    registry
        .promote(&name, CHAMPION, version, who, reason)
        .await?;
    moved(origin, &name, version)
}

/// Puts the champion back to what it was before.
pub(crate) async fn rollback(origin: &Origin, model: &str, reason: &str) -> anyhow::Result<()> {
    let ModelRef { name, .. } = model.parse()?;
    let session = origin.session(Mode::Existing).await?;
    let registry = session.pipeline.registry();
    let state = registry.existing(&name).await?;
    let target = Selector::Version(state.rollback_target(CHAMPION)?);
    load_test(&session, &name, state.find(&target)?).await?;
    let (seen, who) = (state.before(CHAMPION), &origin.environment.user);
    let version = registry
        .rollback_from(&name, CHAMPION, seen, who, reason)
        .await?;
    moved(origin, &name, version)
}

/// Loads a version as those will who ask it: its infer component replays the rows that are
/// recorded in its bundle.
async fn load_test(session: &Session, model: &str, version: &Version) -> anyhow::Result<()> {
    let pinned = &version.pinned;
    // As it will be asked: with the infer component that is in force for all, where one is.
    let builtin = session.component(Stage::Infer)?;
    let swaps = session.pipeline.swaps();
    let state = swaps.state(Stage::Infer).await?;
    let infer = state.settled(pinned, builtin);
    if state.has_admitted(&infer) {
        swaps.accepts(&state, &infer).await?;
    }
    let bundle = pinned.artifact();
    let transforms = pinned.transforms();
    let drawing = Drawing::new();
    let loaded = {
        let _note = drawing.waiting("loading the model");
        let stages = &session.stages;
        stages.predictor(&infer, &bundle, &transforms).await
    };
    drawing.finish();
    loaded.map(drop).with_context(|| {
        let number = pinned.number;
        format!("load test: {model}@{number} can't be used, so nothing is moved")
    })
}

fn moved(origin: &Origin, model: &str, version: u32) -> anyhow::Result<()> {
    if origin.global.json {
        return output::json(&json!({ "model": model, "alias": CHAMPION, "version": version }));
    }
    output::text_line(&format!("{model}@{version} is {CHAMPION}"))
}
