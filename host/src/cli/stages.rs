//! `septet stages`: the components, and whether a file could be one.

use std::path::Path;

use anyhow::{Context as _, bail};
use septet::{
    components::EMBEDDED,
    contract::{Digest, Stage},
    stage::Report,
    store::memory,
};
use serde_json::json;

use super::{args::StagesCommand, output, session::Origin, source};

/// Lists components, or shows or checks one.
pub(crate) async fn stages(origin: &Origin, command: Option<&StagesCommand>) -> anyhow::Result<()> {
    match command {
        None => list(origin),
        Some(StagesCommand::Show { stage }) => show(origin, *stage).await,
        Some(StagesCommand::Check { file, stage }) => check(origin, file, *stage).await,
    }
}

fn list(origin: &Origin) -> anyhow::Result<()> {
    let all = EMBEDDED
        .iter()
        .map(|(stage, bytes)| (*stage, Digest::of(bytes), bytes.len()));
    if origin.global.json {
        let stages: Vec<_> = all
            .map(|(stage, digest, size)| json!({ "stage": stage, "component": digest, "bytes": size }))
            .collect();
        return output::json(&json!({ "stages": stages }));
    }
    let rows = all.map(|(stage, digest, size)| {
        vec![
            stage.to_string(),
            output::size(size as u64),
            digest.to_string(),
        ]
    });
    output::text_line(&output::table(
        &["stage", "size", "sha-256"],
        &["size"],
        rows.collect(),
    ))
}

async fn show(origin: &Origin, stage: Stage) -> anyhow::Result<()> {
    let bytes = EMBEDDED.iter().find(|(there, _)| *there == stage);
    let (_, bytes) =
        bytes.with_context(|| format!("septet was built without the stage {stage}"))?;
    let stages = origin.stages(&memory())?;
    let report = stages.catalog().check(bytes.to_vec(), None).await?;
    let grants = origin.grants()?;
    let granted: Vec<&str> = grants.of(stage).iter().map(|c| c.name()).collect();
    if origin.global.json {
        return output::json(&json!({ "stage": stage, "component": report, "granted": granted }));
    }
    let text = format!(
        "stage     {stage}\ngranted   {}\n{}",
        granted.join(", "),
        described(&report)
    );
    output::text_line(&text)
}

async fn check(origin: &Origin, file: &Path, stage: Option<Stage>) -> anyhow::Result<()> {
    source::check(file)?;
    let shown = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("{shown} can't be read"))?;
    let stages = origin.stages(&memory())?;
    let report = stages.catalog().check(bytes.clone(), stage).await;
    let report = report.with_context(|| format!("{shown} can't be used"))?;
    let misfit = !report.problems.is_empty()
        || (stage.is_none() && report.fits.is_empty() && !report.transform);
    if misfit {
        let mut problems = report.problems.clone();
        if problems.is_empty() {
            // It fits nothing: the least that any stage needs says most.
            problems = stages
                .catalog()
                .check(bytes, Some(Stage::Ingest))
                .await?
                .problems;
        }
        bail!("{shown} does not fit: {}", problems.join("; "));
    }
    if origin.global.json {
        return output::json(&report);
    }
    let mut fits: Vec<String> = report
        .fits
        .iter()
        .map(|stage| format!("stage {stage}"))
        .collect();
    if report.transform {
        fits.push("user transform".to_owned());
    }
    output::text_line(&format!(
        "fits      {}\n{}",
        fits.join(", "),
        described(&report)
    ))
}

fn described(report: &Report) -> String {
    let mut lines = vec![
        format!("sha-256   {}", report.digest),
        format!("size      {}", output::size(report.size)),
    ];
    lines.extend(
        report
            .imports
            .iter()
            .map(|import| format!("imports   {import}")),
    );
    lines.extend(
        report
            .exports
            .iter()
            .map(|export| format!("exports   {export}")),
    );
    lines.join("\n")
}
