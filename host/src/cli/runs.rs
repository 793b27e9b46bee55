//! `septet runs`: what was run and what came of it.

use anyhow::{bail, ensure};
use septet::pipeline::{Pipeline, RunRequest, RunSummary, StageRow, Status};
use serde_json::json;

use super::{args::RunsCommand, output, parts, session::Origin, summary};

/// Runs that are listed.
const LISTED: usize = 50;

/// Lists runs, or shows or cancels one.
pub(crate) async fn runs(origin: &Origin, command: Option<&RunsCommand>) -> anyhow::Result<()> {
    let pipeline = origin.existing().await?;
    match command {
        None | Some(RunsCommand::List) => list(origin, &pipeline).await,
        Some(RunsCommand::Show { run }) => show(origin, &pipeline, run).await,
        Some(RunsCommand::Cancel { run }) => cancel(origin, &pipeline, run).await,
    }
}

async fn list(origin: &Origin, pipeline: &Pipeline) -> anyhow::Result<()> {
    let runs = pipeline.runs(LISTED).await?;
    if origin.global.json {
        let runs: Vec<_> = runs.iter().map(object).collect();
        return output::json(&json!({ "runs": runs }));
    }
    if runs.is_empty() {
        return output::text_line("no runs yet: septet run DATA --target COL");
    }
    let rows = runs.into_iter().map(|run| {
        let status = run.status.name().to_owned();
        let seconds = format!("{:.2}", run.seconds);
        let data = run.sources.join(" ");
        vec![
            run.id,
            run.created,
            run.kind.to_owned(),
            run.model,
            status,
            seconds,
            data,
        ]
    });
    let header = [
        "run", "created", "kind", "model", "status", "seconds", "data",
    ];
    output::text_line(&output::table(&header, &["seconds"], rows.collect()))
}

async fn cancel(origin: &Origin, pipeline: &Pipeline, run: &str) -> anyhow::Result<()> {
    let id = pipeline.find(run).await?;
    let before = pipeline.state(&id).await?.status();
    ensure!(
        !before.is_final(),
        "run {id} is {} already: there is nothing to cancel",
        before.name()
    );
    let status = pipeline.cancel(&id, &origin.environment.user).await?;
    if status != Status::Cancelled {
        bail!(
            "run {id} was {} before it could be cancelled",
            status.name()
        );
    }
    if origin.global.json {
        return output::json(&json!({ "run": id, "status": status.name() }));
    }
    output::text_line(&format!("run {id} is {}", status.name()))
}

fn object(run: &RunSummary) -> serde_json::Value {
    json!({
        "run": run.id, "created": run.created, "kind": run.kind, "model": run.model,
        "status": run.status.name(), "seconds": run.seconds, "data": run.sources,
        "reason": run.reason,
    })
}

async fn show(origin: &Origin, pipeline: &Pipeline, run: &str) -> anyhow::Result<()> {
    let id = pipeline.find(run).await?;
    let state = pipeline.state(&id).await?;
    let rows = pipeline.rows(&id).await?;
    let reason = state.failure().and_then(|commit| commit.reason());
    if origin.global.json {
        return output::json(&json!({
            "run": id, "status": state.status().name(), "reason": reason,
            "request": *state.request, "stages": rows,
        }));
    }
    let request = &state.request;
    let data: Vec<&str> = request
        .sources
        .iter()
        .map(|source| source.label.as_str())
        .collect();
    let mut lines = vec![
        format!("run      {id}"),
        format!("created  {}", request.created),
        format!("kind     {}", request.kind.name()),
        format!("model    {}", request.name),
        format!("data     {}", data.join(" ")),
        format!("status   {}", state.status().name()),
    ];
    lines.extend(reason.map(|reason| format!("reason   {reason}")));
    lines.extend(rows.iter().flat_map(|row| notes(row, request)));
    lines.push(String::new());
    lines.push(summary::stage_table(&summary::lines(&rows, request)));
    lines.push(String::new());
    let artifacts = rows.iter().flat_map(|row| {
        let stage = row.stage;
        row.outputs.iter().map(move |artifact| {
            let size = output::size(artifact.size);
            vec![
                stage.to_string(),
                artifact.name.clone(),
                size,
                artifact.digest.to_string(),
            ]
        })
    });
    let header = ["stage", "artifact", "size", "sha-256"];
    lines.push(output::table(&header, &["size"], artifacts.collect()));
    output::text_line(&lines.join("\n"))
}

fn notes(row: &StageRow, request: &RunRequest) -> Vec<String> {
    let stage = row.stage;
    let metrics: Vec<String> = row
        .metrics
        .iter()
        .map(|m| format!("{} {}", m.name, output::figure(m.value)))
        .collect();
    let mut lines: Vec<String> = metrics
        .chunks(4)
        .map(|few| format!("metrics  {stage}: {}", few.join("   ")))
        .collect();
    let notes = parts::notes(row, request).into_iter();
    lines.extend(notes.map(|note| format!("note     {stage}: {note}")));
    lines
}
