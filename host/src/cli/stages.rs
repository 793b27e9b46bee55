//! `septet stages`: the components, and whether a file could be one.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use septet::{
    components::builtin,
    contract::{Digest, Stage},
    external::{External, Externals},
    pipeline::{ArmKind, InForce, StageState},
    stage::Report,
    store::memory,
    swap::view,
};
use serde_json::{Value, json};

use super::{args::StagesCommand, distribution, export, output, session::Origin, source, swaps};

/// Lists components, or shows, exports, checks or swaps one.
pub(crate) async fn stages(origin: &Origin, command: Option<&StagesCommand>) -> anyhow::Result<()> {
    match command {
        None => list(origin).await,
        Some(StagesCommand::Show { stage }) => show(origin, *stage).await,
        Some(StagesCommand::Check { file, stage }) => check(origin, file, *stage).await,
        Some(StagesCommand::Export { stages, out }) => export::export(origin, stages, out).await,
        Some(StagesCommand::Push(push)) => distribution::push(origin, push).await,
        Some(StagesCommand::Pull(pull)) => distribution::pull(origin, pull).await,
        Some(command) => swaps::swaps(origin, command).await,
    }
}

/// What is in force, by the store where there is one.
async fn in_force(origin: &Origin) -> anyhow::Result<Arc<InForce>> {
    match swaps::existing(origin).await? {
        Some(pipeline) => pipeline.swaps().all().await,
        None => Ok(Arc::default()),
    }
}

/// The program's own component of a stage, and its size.
pub(super) fn embedded(stage: Stage) -> Option<(Digest, u64)> {
    builtin(stage)
}

/// The external stage that does a stage's work; none where a component does. The log counts before the
/// settings.
pub(super) fn external<'a>(externals: &'a Externals, state: &StageState) -> Option<&'a External> {
    match &state.current {
        Some(current) => externals.get(current),
        None => externals.of(state.stage),
    }
}

async fn list(origin: &Origin) -> anyhow::Result<()> {
    let all = in_force(origin).await?;
    let externals = origin.settings.externals()?;
    let stages = all
        .stages()
        .map(|state| view::stage(state, embedded(state.stage)));
    if origin.global.json {
        return output::json(&json!({ "stages": stages.collect::<Vec<_>>() }));
    }
    let rows = all.stages().zip(stages).map(|(state, shown)| {
        let size = shown
            .get("bytes")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let component = shown.get("component").and_then(Value::as_str);
        let external = external(&externals, state);
        let identity = external.map(|external| external.identity().to_string());
        let component = identity.as_deref().or(component);
        let size = external.map_or(size, |external| external.definition().len() as u64);
        let arms = [
            (ArmKind::Canary, &state.canary),
            (ArmKind::Shadow, &state.shadow),
        ];
        let mut notes: Vec<String> = Vec::new();
        let own = embedded(state.stage).map(|own| own.0);
        match external {
            Some(external) => {
                let shown = output::harmless(&external.shown());
                notes.push(format!("external, not sandboxed: {shown}"));
            }
            None if state.current.is_none() || state.current == own => {
                notes.push(swaps::BUILT_IN.to_owned());
            }
            None => {}
        }
        for (kind, arm) in arms {
            if let Some(arm) = arm {
                let (name, percent) = (kind.name(), arm.percent);
                let component = if own == Some(arm.component) {
                    swaps::BUILT_IN.to_owned()
                } else {
                    arm.component.short()
                };
                notes.push(format!("{name} {component} {percent}"));
            }
        }
        vec![
            state.stage.to_string(),
            output::size(size),
            component.unwrap_or_default().to_owned(),
            notes.join(", "),
        ]
    });
    let header = ["stage", "size", "sha-256", ""];
    output::text_line(&output::table(&header, &["size"], rows.collect()))
}

async fn show(origin: &Origin, stage: Stage) -> anyhow::Result<()> {
    let pipeline = swaps::existing(origin).await?;
    let all = match &pipeline {
        Some(pipeline) => pipeline.swaps().all().await?,
        None => Arc::default(),
    };
    let state = all.stage(stage);
    let store = pipeline.map_or_else(memory, |pipeline| pipeline.store().clone());
    let stages = origin.stages(&store)?;
    let own = embedded(stage).map(|(digest, _)| digest);
    let digest = state.current.or(own);
    let digest = digest.with_context(|| format!("septet was built without the stage {stage}"))?;
    let bytes = stages.catalog().bytes(&digest).await?;
    let report = stages.catalog().check(bytes, None).await?;
    let grants = origin.grants()?;
    let granted: Vec<&str> = grants.of(stage).iter().map(|c| c.name()).collect();
    if origin.global.json {
        let shown = view::stage(&state, embedded(stage));
        return output::json(&json!({
            "stage": stage, "component": report, "granted": granted, "in_force": shown,
        }));
    }
    let mut lines = vec![
        format!("stage     {stage}"),
        format!("granted   {}", granted.join(", ")),
    ];
    lines.push(if state.current.is_none() {
        "in force  built in".to_owned()
    } else if state.current == own {
        format!(
            "in force  built in, by change {} (see `septet stages history`)",
            state.revision
        )
    } else {
        let revision = state.revision;
        format!("in force  since change {revision} (see `septet stages history`)")
    });
    for (kind, arm) in [("canary", &state.canary), ("shadow", &state.shadow)] {
        if let Some(arm) = arm {
            lines.push(format!(
                "{kind:<9} {}, {} of the calls",
                arm.component, arm.percent
            ));
        }
    }
    lines.push(described(&report));
    output::text_line(&lines.join("\n"))
}

async fn check(origin: &Origin, file: &Path, stage: Option<Stage>) -> anyhow::Result<()> {
    source::check_component(file, &origin.settings.limits)?;
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
