//! What there is: runs and models.

use septet_core::pipeline::{Found, Pipeline, registry};
use septet_spin_kit::{
    keyvalue,
    reply::{Refusal, json},
    wait::wait,
};
use serde_json::{Value, json, to_value};
use spin_sdk::http::Response;

/// Runs that are listed.
const LISTED: usize = 50;

/// The run whose identifier begins so.
pub(crate) fn find(pipeline: &Pipeline, beginning: &str) -> Result<String, Refusal> {
    match wait(pipeline.look_up(beginning))? {
        Found::One(run) => Ok(run),
        Found::None => Err(Refusal::missing(format!(
            "there is no run {}",
            septet_core::text::clean(beginning, 60)
        ))),
        Found::Several => Err(Refusal::bad(
            "more than one run begins so: write more of it",
        )),
    }
}

/// A run, as far as it is.
pub(crate) fn run(status: u16, run: &str) -> Result<Response, Refusal> {
    let pipeline = keyvalue::pipeline()?;
    let run = find(&pipeline, run)?;
    let state = wait(pipeline.state(&run))?;
    let rows = wait(pipeline.rows(&run))?;
    let failure = state.failure();
    let told = json!({
        "run": run,
        "kind": state.request.kind.name(),
        "model": state.request.name,
        "status": state.status(),
        "reason": failure.and_then(|commit| commit.reason()),
        "stages": rows,
    });
    let mut response = json(status, &told);
    response.set_header("location", format!("/runs/{run}"));
    Ok(response)
}

/// The newest runs.
pub(crate) fn runs() -> Result<Response, Refusal> {
    let pipeline = keyvalue::pipeline()?;
    let runs = wait(pipeline.runs(LISTED))?;
    let runs = to_value(runs).map_err(anyhow::Error::new)?;
    Ok(json(200, &json!({ "runs": runs })))
}

/// Names of all models.
pub(crate) fn models() -> Result<Response, Refusal> {
    let pipeline = keyvalue::pipeline()?;
    let models = wait(pipeline.registry().models())?;
    Ok(json(200, &json!({ "models": models })))
}

/// A model's versions and aliases.
pub(crate) fn model(name: &str) -> Result<Response, Refusal> {
    registry::check_model(name).map_err(|error| Refusal::bad(error.to_string()))?;
    let pipeline = keyvalue::pipeline()?;
    let state = wait(pipeline.registry().state(name))?;
    if state.entries == 0 {
        return Err(Refusal::missing(format!("there is no model '{name}'")));
    }
    let aliases = state.aliases.iter().map(|(name, alias)| {
        json!({ "alias": name, "version": alias.version, "revision": alias.revision })
    });
    let versions = state.versions.iter().map(|version| {
        json!({
            "version": version.pinned.number,
            "digest": version.pinned.bundle,
            "infer": version.pinned.infer,
            "run": version.run,
            "registered": version.when,
        })
    });
    let (aliases, versions): (Vec<Value>, Vec<Value>) = (aliases.collect(), versions.collect());
    let told = json!({ "model": state.name, "aliases": aliases, "versions": versions });
    Ok(json(200, &told))
}
