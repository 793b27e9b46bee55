//! What waits, and which models there are.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::{Value, json};

use super::{
    refusal::{Refusal, json},
    server::Server,
};
use crate::pipeline::registry::ModelState;

/// How many messages wait in each queue that has some.
pub(super) async fn queues(State(server): State<Arc<Server>>) -> Result<Response, Refusal> {
    let counts = server.pipeline.store().queues.counts().await;
    let counts = counts.map_err(|e| Refusal::fault(&e))?;
    let queues: Vec<Value> = counts
        .iter()
        .map(|(queue, messages)| json!({ "queue": queue, "messages": messages }))
        .collect();
    Ok(json(StatusCode::OK, &json!({ "queues": queues })))
}

/// The models, their versions and where their aliases point.
pub(super) async fn models(State(server): State<Arc<Server>>) -> Result<Response, Refusal> {
    let registry = server.pipeline.registry();
    let names = registry.models().await.map_err(|e| Refusal::fault(&e))?;
    let mut models = Vec::new();
    for name in names {
        let model = registry
            .state(&name)
            .await
            .map_err(|e| Refusal::fault(&e))?;
        models.push(told(&model));
    }
    Ok(json(StatusCode::OK, &json!({ "models": models })))
}

fn told(model: &ModelState) -> Value {
    let aliases = model.aliases.iter().map(|(name, alias)| {
        json!({ "alias": name, "version": alias.version, "revision": alias.revision })
    });
    let versions = model.versions.iter().map(|version| {
        json!({
            "version": version.pinned.number,
            "digest": version.pinned.bundle,
            "run": version.run,
            "registered": version.when,
        })
    });
    json!({
        "model": model.name,
        "aliases": aliases.collect::<Vec<_>>(),
        "versions": versions.collect::<Vec<_>>(),
    })
}
