//! `septet predict`: rows to predictions.

use std::path::Path;

use anyhow::Context as _;
use septet::{
    contract::Stage,
    pipeline::RunKind,
    store::{Mode, Target, copy},
};
use serde_json::json;

use super::{
    args::{Format, Predict},
    data::Data,
    drawing::Drawing,
    output, request,
    session::Origin,
    summary,
};

/// Predicts the rows of a file.
pub(crate) async fn predict(origin: &Origin, predict: &Predict) -> anyhow::Result<()> {
    let data = Data::typed(&predict.data)?;
    let format = match (predict.format, predict.output.as_deref()) {
        (Some(format), _) => format,
        (None, Some(output)) => request::format_of(output)?,
        (None, None) => Format::Csv,
    };
    // Where the file can't be made, nothing is predicted.
    let target = predict.output.as_deref().map(Target::new).transpose()?;
    let drawing = Drawing::new();
    let session = origin.session(Mode::Existing).await?;
    session.prepare(RunKind::Predict.stages(), &drawing).await?;
    let request = request::predict(&session, origin, predict, format, &data).await?;
    let model = request
        .model
        .as_ref()
        .map(|model| (model.name.clone(), model.version.number));
    let state = session.complete(request, drawing).await?;
    // An external infer need not count them.
    let rows = summary::metrics(&state, Stage::Infer)
        .get("rows")
        .map(|rows| *rows as u64);
    let output = state.output(Stage::Infer, "predictions");
    let output = output.context("infer made no predictions")?;
    let blobs = session.pipeline.store().blobs.as_ref();
    let Some(target) = target else {
        if origin.global.json {
            // Standard output holds the one object; the predictions stay in the store.
            let (name, version) = model.unwrap_or_default();
            return output::json(&json!({
                "run": state.id, "rows": rows, "model": {"name": name, "version": version},
                "predictions": output,
            }));
        }
        return copy(blobs, &output.digest, output::bytes).await;
    };
    target.fill(blobs, &output.digest).await?;
    let path = predict.output.as_deref().unwrap_or(Path::new(""));
    let (name, version) = model.unwrap_or_default();
    if origin.global.json {
        output::json(&json!({
            "run": state.id, "rows": rows, "model": {"name": name, "version": version},
            "predictions": output, "output": path,
        }))
    } else {
        let shown = path.display();
        output::text_line(&format!(
            "{}predicted by {name}@{version}: {shown}",
            rows.map(|rows| format!("{rows} rows ")).unwrap_or_default()
        ))
    }
}
