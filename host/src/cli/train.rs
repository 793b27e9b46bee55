//! `septet run`: from data to a deployed model.

use std::sync::Arc;

use septet::{contract::Stage, external::NOT_SANDBOXED, pipeline::RunKind, store::Mode};
use serde_json::json;

use super::{
    args::Run,
    data,
    drawing::Drawing,
    output,
    session::{Origin, Session},
    summary::{self, Summary},
    training::Train,
};

/// Runs the stages from ingest to deploy.
pub(crate) async fn run(origin: &Origin, run: &Run) -> anyhow::Result<()> {
    let train = Train::of(run, data::parts(&run.data), origin)?;
    let drawing = Drawing::new();
    let session = origin.session(Mode::Create).await?;
    prepare(&session, &drawing).await?;
    let request = train.request(&session).await?;
    if run.detach {
        let run = session.pipeline.start(request).await?;
        if origin.global.json {
            return output::json(&json!({ "run": run, "status": "pending" }));
        }
        return output::text_line(&format!(
            "run {run} is queued: `septet serve` or `septet work` does it, `septet runs show {run}` tells"
        ));
    }
    let state = session.complete(request, Arc::clone(&drawing)).await?;
    let summary = Summary::of(&session.pipeline, &state).await?;
    let model = &summary.model.name;
    for part in &summary.set_apart {
        let part = output::harmless(part);
        eprintln!(
            "septet: warning: {part}: it was left out; mend the file or `septet schema accept {model}`"
        );
    }
    if origin.global.json {
        output::json(&summary)
    } else {
        output::text_line(&text(&summary))
    }
}

/// Compiles what a train run needs; infer answers evaluate.
pub(crate) async fn prepare(session: &Session, drawing: &Drawing) -> anyhow::Result<()> {
    let mut stages = RunKind::Train.stages().to_vec();
    stages.push(Stage::Infer);
    session.prepare(&stages, drawing).await
}

/// The summary as it is read.
pub(crate) fn text(summary: &Summary) -> String {
    let Summary {
        dataset,
        model,
        gate,
        ..
    } = summary;
    let mut lines = vec![
        format!("run      {}", summary.run),
        format!(
            "data     {} rows, {} columns, {} quarantined",
            dataset.rows, dataset.columns, dataset.quarantined
        ),
        match (model.version, model.algorithm.as_str()) {
            (Some(version), "") => {
                format!(
                    "model    {}@{version} ({})",
                    model.name,
                    model.digest.short()
                )
            }
            (Some(version), algorithm) => format!(
                "model    {}@{version} ({algorithm}, {})",
                model.name,
                model.digest.short()
            ),
            (None, _) => format!("model    {} (no version)", model.digest.short()),
        },
    ];
    let metrics: Vec<String> = summary
        .metrics
        .iter()
        .map(|(name, value)| format!("{name} {}", output::figure(*value)))
        .collect();
    // A line holds as many as can be read at a glance.
    for (at, few) in metrics.chunks(4).enumerate() {
        let head = if at == 0 { "metrics " } else { "        " };
        lines.push(format!("{head} {}", few.join("   ")));
    }
    lines.extend(figures(summary));
    lines.push(format!(
        "gate     {}: {}",
        gate.verdict,
        gate.reasons.join("; ")
    ));
    lines.push(match &summary.deployed {
        Some(deployed) => format!(
            "deployed {}@{} is {}",
            model.name, deployed.version, deployed.alias
        ),
        None if summary.barred => format!(
            "deployed no: version {0} was rolled back: promote it with `septet models promote \
             {1}@{0}`",
            model.version.unwrap_or_default(),
            model.name
        ),
        None if model.version.is_none() => "deployed no: deploy proposed no version".to_owned(),
        None => "deployed no: the champion stays as it was".to_owned(),
    });
    // What evaluate and deploy note is what the lines above say.
    let said = |stage: Stage| matches!(stage, Stage::Evaluate | Stage::Deploy);
    let notes = summary.stages.iter().flat_map(|line| {
        let stage = line.stage;
        let notes = line.notes.iter();
        notes
            .filter(move |note| !said(stage) || note.starts_with(NOT_SANDBOXED))
            .map(move |note| format!("note     {stage}: {note}"))
    });
    lines.extend(notes);
    lines.push(String::new());
    lines.push(summary::stage_table(&summary.stages));
    lines.join("\n")
}

/// Test uses from which on the figures are likely too good: candidates were chosen by them.
const MANY_USES: u32 = 20;

/// What stands behind the metrics, where it is known.
fn figures(summary: &Summary) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(primary) = &summary.primary
        && let Some((low, high)) = primary.interval
    {
        let (metric, value) = (&primary.metric, output::figure(primary.value));
        let (low, high) = (output::figure(low), output::figure(high));
        told.push(format!("{metric} {value}, 95 % from {low} to {high}"));
    }
    if let Some(positive) = &summary.positive {
        told.push(match summary.threshold {
            Some(threshold) => format!("positive '{positive}' from {}", output::figure(threshold)),
            None => format!("positive '{positive}'"),
        });
    }
    let mut lines = Vec::new();
    if !told.is_empty() {
        lines.push(format!("decided  {}", told.join("   ")));
    }
    if let Some(uses) = summary.test_uses.filter(|uses| *uses >= MANY_USES) {
        lines.push(format!(
            "tested   {uses} versions on the same test rows: the figures are likely too good, so \
             take new ones soon"
        ));
    }
    lines
}
