//! Rows to predictions, while the client waits.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Extension, Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::{
    answer::Answer,
    guard::Place,
    intake::{self, Intake},
    models::Ready,
    refusal::{Refusal, json},
    server::Server,
};
use crate::pipeline::ModelRef;

/// Predicts records with `NAME`, `NAME@ALIAS` or `NAME@VERSION`.
pub(super) async fn predict(
    State(server): State<Arc<Server>>,
    Extension(place): Extension<Place>,
    model: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let Path(model) = model.map_err(|error| Refusal::bad(error.body_text()))?;
    let asked: ModelRef = model
        .parse()
        .map_err(|error: anyhow::Error| Refusal::bad(error.to_string()))?;
    let settings = &server.settings;
    let intake = Intake::new(&headers, body, settings.json_bytes, settings.body)?;
    let body = intake::json(intake, &headers).await?;
    let predicted = async {
        let ready = server.models.ready(&asked, &place).await?;
        let Ready {
            model,
            version,
            notice,
        } = ready;
        let predictions = model.answer(body, settings.predict_rows, place).await?;
        let answer = Answer {
            model: &asked.name,
            version,
            notice: notice.as_deref(),
            predictions,
        };
        Ok(json(StatusCode::OK, &answer))
    };
    match tokio::time::timeout(settings.predict, predicted).await {
        Ok(answered) => answered,
        Err(_) => Err(Refusal::busy(format!(
            "there was no prediction within {} s: ask for fewer records, or later",
            settings.predict.as_secs()
        ))),
    }
}
