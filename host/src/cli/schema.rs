//! `septet schema`: what a model's data are held to, and how that changes.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use septet::{
    contract::{Artifact, Stage},
    pipeline::{ModelRef, Pipeline, RunKind, RunState, registry::ModelState},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{args::SchemaCommand, output, session::Origin, training};

/// Bytes of a schema's JSON at most: what the components take.
const MAX_SCHEMA: u64 = 4 << 20;

/// Runs that are looked through for the last one of a model.
const LOOK: usize = 1000;

/// What is shown of a schema; the rest of it is the components'.
#[derive(Debug, Deserialize)]
struct Shown {
    #[serde(default)]
    declared: bool,
    columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Column {
    name: String,
    kind: String,
    #[serde(default)]
    optional: bool,
}

/// Shows a schema, or accepts one.
pub(crate) async fn schema(origin: &Origin, command: &SchemaCommand) -> anyhow::Result<()> {
    let pipeline = origin.existing().await?;
    match command {
        SchemaCommand::Show { model } => show(origin, &pipeline, model).await,
        SchemaCommand::Accept {
            model,
            run,
            file,
            reason,
        } => {
            let model = existing(&pipeline, model).await?;
            let schema = match file {
                Some(file) => from_file(&pipeline, file).await?,
                None => proposed(&pipeline, &model, run.as_deref()).await?,
            };
            accept(origin, &pipeline, &model, &schema, reason).await
        }
    }
}

async fn existing(pipeline: &Pipeline, model: &str) -> anyhow::Result<ModelState> {
    let model: ModelRef = model.parse()?;
    pipeline.registry().existing(&model.name).await
}

async fn show(origin: &Origin, pipeline: &Pipeline, model: &str) -> anyhow::Result<()> {
    let model = existing(pipeline, model).await?;
    let name = &model.name;
    let artifact = model.schema();
    let artifact =
        artifact.with_context(|| format!("no schema is pinned for model '{name}' yet"))?;
    let schema = read(pipeline, artifact).await?;
    let version = || {
        let mut versions = model.versions.iter();
        let first = versions.find(|version| version.schema.is_some());
        first.map_or(0, |version| version.pinned.number)
    };
    let by = match model.accepted() {
        Some(accepted) => format!("accepted {} by {}", accepted.when, accepted.who),
        None => format!("pinned by version {}", version()),
    };
    let last = last_run(pipeline, name).await?;
    let proposal = last.as_ref().and_then(|run| {
        let artifact = run.output(Stage::Preprocess, "proposed-schema")?;
        // What was accepted already is no proposal any more.
        (model.schema()?.digest != artifact.digest).then_some((&run.id, artifact))
    });
    let proposed = match proposal {
        Some((run, artifact)) => Some((run, read(pipeline, artifact).await?)),
        None => None,
    };
    if origin.global.json {
        return output::json(&json!({
            "model": name, "schema": artifact.digest, "declared": schema.declared, "by": by,
            "columns": schema.columns,
            "proposed": proposed.map(|(run, schema)| json!({"run": run, "columns": schema.columns})),
        }));
    }
    let declared = if schema.declared { ", declared" } else { "" };
    let rows = schema.columns.iter().map(|column| {
        let optional = if column.optional { "optional" } else { "" };
        vec![
            column.name.clone(),
            column.kind.clone(),
            optional.to_owned(),
        ]
    });
    let mut lines = vec![
        format!("schema   {name} ({by}{declared})"),
        String::new(),
        output::table(&["column", "kind", ""], &[], rows.collect()),
    ];
    if let Some((run, proposed)) = proposed {
        lines.push(String::new());
        lines.push(format!("run {run} has data that would need:"));
        lines.extend(
            changes(&schema, &proposed)
                .into_iter()
                .map(|change| format!("  {change}")),
        );
        lines.push(format!("accept it with: septet schema accept {name}"));
    }
    output::text_line(&lines.join("\n"))
}

async fn accept(
    origin: &Origin,
    pipeline: &Pipeline,
    model: &ModelState,
    schema: &Artifact,
    reason: &str,
) -> anyhow::Result<()> {
    let name = &model.name;
    let after = read(pipeline, schema).await?;
    let changes = match model.schema() {
        Some(before) => changes(&read(pipeline, before).await?, &after),
        None => Vec::new(),
    };
    // It may be an old run's, and so about to be deleted: it is in use from now on.
    let held = pipeline.store().blobs.touch(&schema.digest).await?;
    ensure!(held.is_some(), "the schema is not in the store any more");
    let who = &origin.environment.user;
    let registry = pipeline.registry();
    let accepted = registry.accept_schema(name, schema, who, reason).await?;
    if origin.global.json {
        return output::json(&json!({
            "model": name, "schema": schema.digest, "accepted": accepted, "changes": changes,
        }));
    }
    if !accepted {
        return output::text_line(&format!("the data of {name} are held to it already"));
    }
    let mut lines = vec![format!(
        "accepted: the next run of {name} holds its data to {} columns",
        after.columns.len()
    )];
    lines.extend(changes.into_iter().map(|change| format!("  {change}")));
    output::text_line(&lines.join("\n"))
}

/// What a run's data would need: the model's last run's, where none is named.
async fn proposed(
    pipeline: &Pipeline,
    model: &ModelState,
    run: Option<&str>,
) -> anyhow::Result<Artifact> {
    let name = &model.name;
    let state = match run {
        Some(run) => {
            let id = pipeline.find(run).await?;
            let state = pipeline.state(&id).await?;
            let (kind, of) = (state.request.kind, &state.request.name);
            ensure!(
                kind == RunKind::Train && of == name,
                "run {id} is no train run of model '{name}'"
            );
            state
        }
        None => last_run(pipeline, name)
            .await?
            .with_context(|| format!("no run of model '{name}' is there any more"))?,
    };
    let id = &state.id;
    let Some(schema) = state.output(Stage::Preprocess, "proposed-schema") else {
        let refused = state.failure().is_some();
        let hint = if refused {
            "it came to nothing; name a schema of your own with --file"
        } else {
            "all of its data fit"
        };
        bail!("there is nothing to accept: run {id} proposed no schema ({hint})");
    };
    Ok(Artifact {
        name: "schema".to_owned(),
        ..schema.clone()
    })
}

async fn from_file(pipeline: &Pipeline, file: &Path) -> anyhow::Result<Artifact> {
    let bytes = training::read_schema(file, false)?;
    training::schema_artifact(pipeline.store(), &bytes).await
}

/// The model's last train run.
async fn last_run(pipeline: &Pipeline, model: &str) -> anyhow::Result<Option<RunState>> {
    let runs = pipeline.runs(LOOK).await?;
    let train = RunKind::Train.name();
    let mut runs = runs.iter();
    match runs.find(|run| run.kind == train && run.model == model) {
        Some(run) => Ok(Some(pipeline.state(&run.id).await?)),
        None => Ok(None),
    }
}

async fn read(pipeline: &Pipeline, schema: &Artifact) -> anyhow::Result<Shown> {
    let blobs = &pipeline.store().blobs;
    let bytes = blobs.get(&schema.digest, MAX_SCHEMA).await?;
    serde_json::from_slice(&bytes).context("the schema can't be read")
}

/// What another schema changes, a line each.
fn changes(before: &Shown, after: &Shown) -> Vec<String> {
    let found = |schema: &Shown, name: &str| {
        let mut columns = schema.columns.iter();
        columns.find(|column| column.name == name).cloned()
    };
    let mut lines = Vec::new();
    for column in &after.columns {
        let Column {
            name,
            kind,
            optional,
        } = column;
        let missing = if *optional { ", may be missing" } else { "" };
        match found(before, name) {
            None => lines.push(format!("{name}: new, {kind}{missing}")),
            Some(was) if was.kind != *kind => {
                lines.push(format!("{name}: {} becomes {kind}{missing}", was.kind));
            }
            Some(was) if was.optional != *optional => lines.push(match optional {
                true => format!("{name}: may be missing"),
                false => format!("{name}: must be there"),
            }),
            Some(_) => {}
        }
    }
    let gone = before.columns.iter();
    let gone = gone.filter(|column| found(after, &column.name).is_none());
    lines.extend(gone.map(|column| format!("{}: no longer looked at", column.name)));
    if before.declared != after.declared {
        let told = if after.declared {
            "declared: values are read as these kinds"
        } else {
            "no longer declared: kinds are found in the data"
        };
        lines.push(told.to_owned());
    }
    lines
}

/// The schema's changes as they are told in a log.
pub(crate) fn told(schema: &Artifact) -> Value {
    json!({ "digest": schema.digest, "bytes": schema.size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told() {
        let schema = |json: &str| serde_json::from_str::<Shown>(json).unwrap();
        let before = schema(
            r#"{"format":1,"columns":[{"name":"a","kind":"integer"},{"name":"b","kind":"text"},{"name":"c","kind":"float"}]}"#,
        );
        let after = schema(
            r#"{"format":1,"columns":[{"name":"a","kind":"text"},{"name":"b","kind":"text","optional":true},{"name":"d","kind":"float","optional":true}]}"#,
        );
        assert_eq!(
            changes(&before, &after),
            [
                "a: integer becomes text",
                "b: may be missing",
                "d: new, float, may be missing",
                "c: no longer looked at",
            ]
        );
        assert!(changes(&before, &before).is_empty());
    }
}
