//! `septet predict`: rows to predictions.

use std::{io::Write as _, path::Path};

use anyhow::Context as _;
use septet::{contract::Stage, pipeline::RunKind, store::Mode};
use serde_json::json;

use super::{
    args::{Format, Predict},
    dataset,
    drawing::Drawing,
    output, request,
    session::{Origin, Session},
    summary,
};

/// Bytes that are read at a time.
const PIECE: u32 = 1 << 20;

/// Predicts the rows of a file.
pub(crate) async fn predict(origin: &Origin, predict: &Predict) -> anyhow::Result<()> {
    let data = dataset::files(&predict.data)?;
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
    let rows = summary::metrics(&state, Stage::Infer)
        .get("rows")
        .copied()
        .unwrap_or(0.0) as u64;
    let output = state.output(Stage::Infer, "predictions");
    let output = output.context("infer made no predictions")?;
    let Some(target) = target else {
        if origin.global.json {
            // Standard output holds the one object; the predictions stay in the store.
            let (name, version) = model.unwrap_or_default();
            return output::json(&json!({
                "run": state.id, "rows": rows, "model": {"name": name, "version": version},
                "predictions": output,
            }));
        }
        return copy(&session, output.digest, output::bytes).await;
    };
    target.fill(&session, output.digest).await?;
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
            "{rows} rows predicted by {name}@{version}: {shown}"
        ))
    }
}

/// Hands a blob on, piece by piece.
pub(crate) async fn copy(
    session: &Session,
    digest: septet::contract::Digest,
    mut put: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let reader = session.pipeline.store().blobs.open(&digest).await?;
    let mut offset = 0;
    while offset < reader.size() {
        let piece = reader.read(offset, PIECE).await?;
        anyhow::ensure!(!piece.is_empty(), "blob {digest} ends too early");
        put(&piece)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

/// A file that is there whole or not at all.
struct Target<'a> {
    path: &'a Path,
    file: tempfile::NamedTempFile,
}

impl<'a> Target<'a> {
    fn new(path: &'a Path) -> anyhow::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let file = tempfile::NamedTempFile::new_in(folder)
            .with_context(|| format!("{} can't be written", path.display()))?;
        Ok(Self { path, file })
    }

    async fn fill(
        mut self,
        session: &Session,
        digest: septet::contract::Digest,
    ) -> anyhow::Result<()> {
        let shown = || format!("{} can't be written", self.path.display());
        let file = &mut self.file;
        copy(session, digest, |bytes| {
            file.write_all(bytes).with_context(shown)
        })
        .await?;
        self.file.as_file().sync_all().with_context(shown)?;
        let path = self.path;
        let kept = self.file.persist(path);
        kept.map(drop)
            .with_context(|| format!("{} can't be written", path.display()))
    }
}
