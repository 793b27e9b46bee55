//! Rows to predictions, while the client waits.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Extension, Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::Response,
};

use super::{
    answer::Answer,
    canary::Answered,
    guard::Place,
    intake::{self, Intake},
    mirror::Copied,
    refusal::{Refusal, json},
    server::Server,
};
use crate::pipeline::ModelRef;

/// Says which component gave an answer.
const COMPONENT: HeaderName = HeaderName::from_static("septet-component");

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
        let given = (&headers, body);
        let answered = server
            .models
            .answer(&ready, given, settings.predict_rows, place);
        let Answered {
            asked: given,
            by,
            tried,
        } = answered.await;
        let (took, memory) = (given.took, given.memory);
        let answer = Answer {
            model: &asked.name,
            version: ready.what.version.number,
            notice: ready.notice.as_deref(),
            predictions: given.answer?,
        };
        let mut response = json(StatusCode::OK, &answer);
        if let Ok(component) = HeaderValue::from_str(&by.to_string()) {
            response.headers_mut().insert(COMPONENT, component);
        }
        if let Some(tried) = tried {
            let copied = Copied {
                what: ready.what,
                predictions: answer.predictions,
                by,
                used: (took, memory),
            };
            server.models.mirror(tried, copied);
        }
        Ok(response)
    };
    match tokio::time::timeout(settings.predict, predicted).await {
        Ok(answered) => answered,
        Err(_) => Err(Refusal::busy(format!(
            "there was no prediction within {} s: ask for fewer records, or later",
            settings.predict.as_secs()
        ))),
    }
}
