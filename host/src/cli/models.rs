//! `septet models`: versions, aliases, and every change of what is in production.

use anyhow::{Context as _, ensure};
use septet::{
    contract::{Digest, Stage},
    pipeline::{
        ModelRef, Pipeline,
        registry::{Entry, Event, ModelState, Version},
    },
};
use serde_json::{Value, json};

use super::{
    aliases::{self, CHAMPION},
    args::ModelsCommand,
    import, output, schema,
    session::Origin,
    summary,
};

/// Largest report that is read, in bytes.
const MAX_REPORT: u64 = 4 << 20;

/// Lists models, or does what the command says.
pub(crate) async fn models(origin: &Origin, command: Option<&ModelsCommand>) -> anyhow::Result<()> {
    if let Some(ModelsCommand::Import(words)) = command {
        return import::import(origin, words).await;
    }
    let pipeline = origin.existing().await?;
    match command {
        None => list(origin, &pipeline).await,
        // It makes the store where there is none.
        Some(ModelsCommand::Import(_)) => Ok(()),
        Some(ModelsCommand::Show { model }) => show(origin, &pipeline, model).await,
        Some(ModelsCommand::Card { model }) => card(origin, &pipeline, model).await,
        Some(ModelsCommand::Log { model }) => log(origin, &pipeline, model).await,
        Some(ModelsCommand::Promote { model, reason }) => {
            aliases::promote(origin, model, reason).await
        }
        Some(ModelsCommand::Rollback { model, reason }) => {
            aliases::rollback(origin, model, reason).await
        }
    }
}

async fn list(origin: &Origin, pipeline: &Pipeline) -> anyhow::Result<()> {
    let registry = pipeline.registry();
    let mut models = Vec::new();
    for name in registry.models().await? {
        models.push(registry.state(&name).await?);
    }
    if origin.global.json {
        let models: Vec<_> = models
            .iter()
            .map(|model| {
                json!({
                    "model": model.name,
                    "versions": model.versions.len(),
                    "aliases": aliases(model),
                })
            })
            .collect();
        return output::json(&json!({ "models": models }));
    }
    if models.is_empty() {
        return output::text_line("no models yet: septet run DATA --target COL");
    }
    let rows = models.iter().map(|model| {
        let champion = model.pointed_at(CHAMPION);
        let summary = champion
            .map(|version| object(&version.pinned.summary))
            .unwrap_or_default();
        vec![
            model.name.clone(),
            model.versions.len().to_string(),
            champion.map_or("–".to_owned(), |version| {
                version.pinned.number.to_string()
            }),
            summary::text(&summary, "algorithm"),
            champion
                .map(|version| version.when.clone())
                .unwrap_or_default(),
        ]
    });
    let header = ["model", "versions", "champion", "algorithm", "registered"];
    output::text_line(&output::table(
        &header,
        &["versions", "champion"],
        rows.collect(),
    ))
}

async fn show(origin: &Origin, pipeline: &Pipeline, model: &str) -> anyhow::Result<()> {
    let model: ModelRef = model.parse()?;
    let state = pipeline.registry().existing(&model.name).await?;
    if origin.global.json {
        let versions: Vec<_> = state
            .versions
            .iter()
            .map(|version| {
                json!({
                    "version": version.pinned.number,
                    "digest": version.pinned.bundle,
                    "bytes": version.pinned.bundle_size,
                    "infer": version.pinned.infer,
                    "run": version.run,
                    "registered": version.when,
                    "test": version.test,
                    "test_uses": state.test_uses_of(version),
                    "schema": version.schema.as_ref().map(|schema| schema.digest),
                    "split": version.split.as_ref().map(|split| split.digest),
                    "rolled_back": state.is_barred(CHAMPION, version.pinned.number),
                    "summary": object(&version.pinned.summary),
                })
            })
            .collect();
        return output::json(&json!({
            "model": state.name, "aliases": aliases(&state), "versions": versions,
        }));
    }
    let rows = state.versions.iter().map(|version| row(&state, version));
    let header = [
        "version",
        "alias",
        "algorithm",
        "gate",
        "metrics",
        "test uses",
        "bundle",
        "registered",
    ];
    let right = ["version", "test uses"];
    output::text_line(&output::table(&header, &right, rows.collect()))
}

/// A version's line.
fn row(state: &ModelState, version: &Version) -> Vec<String> {
    let summary = object(&version.pinned.summary);
    let number = version.pinned.number;
    let pointing = state.aliases.iter();
    let pointing = pointing.filter(|(_, alias)| alias.version == number);
    let mut names: Vec<&str> = pointing.map(|(name, _)| name.as_str()).collect();
    if state.is_barred(CHAMPION, number) {
        names.push("(rolled back)");
    }
    let metrics = summary.get("metrics").and_then(Value::as_object);
    let metrics = metrics.into_iter().flatten().filter_map(|(name, value)| {
        value
            .as_f64()
            .map(|value| format!("{name} {}", output::figure(value)))
    });
    let gate = summary
        .get("gate")
        .map(|gate| summary::text(gate, "verdict"));
    let uses = state.test_uses_of(version);
    vec![
        number.to_string(),
        names.join(" "),
        summary::text(&summary, "algorithm"),
        gate.unwrap_or_default(),
        metrics.take(3).collect::<Vec<_>>().join("  "),
        uses.map_or("–".to_owned(), |uses| uses.to_string()),
        version.pinned.bundle.short(),
        version.when.clone(),
    ]
}

/// The model card that deploy wrote: for people, and for programs with `--json`.
async fn card(origin: &Origin, pipeline: &Pipeline, model: &str) -> anyhow::Result<()> {
    let model: ModelRef = model.parse()?;
    let version = pipeline.registry().resolve(&model).await?;
    let shown = format!("{}@{}", model.name, version.pinned.number);
    ensure!(
        version.run != import::RUN,
        "{shown} has no model card: it was imported, and no run has evaluated it"
    );
    let run = pipeline.state(&version.run).await;
    let run = run.with_context(|| format!("the run that made {shown} can't be read"))?;
    let names: &[&str] = if origin.global.json {
        &["card"]
    } else {
        &["card-markdown", "card"]
    };
    let card = names
        .iter()
        .find_map(|name| run.output(Stage::Deploy, name));
    let card = card.with_context(|| format!("{shown} has no model card"))?;
    let blobs = &pipeline.store().blobs;
    let bytes = blobs.get(&card.digest, MAX_REPORT).await?;
    if card.name == "card" {
        let card: Value = serde_json::from_slice(&bytes).context("the card is no JSON")?;
        return output::json(&card);
    }
    let text = String::from_utf8(bytes).context("the card is no text")?;
    output::text_line(text.trim_end())
}

async fn log(origin: &Origin, pipeline: &Pipeline, model: &str) -> anyhow::Result<()> {
    let model: ModelRef = model.parse()?;
    let registry = pipeline.registry();
    registry.existing(&model.name).await?;
    let entries = registry.log(&model.name).await?;
    let mut changes = Vec::new();
    for entry in &entries {
        changes.extend(change(pipeline, entry).await);
    }
    if origin.global.json {
        return output::json(&json!({ "model": model.name, "log": changes }));
    }
    if changes.is_empty() {
        return output::text_line(&format!("no alias of {} was ever moved", model.name));
    }
    let rows = changes.iter().map(|change| {
        let shown = |key: &str| match change.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => "–".to_owned(),
        };
        let cells = ["when", "who", "alias", "from", "to", "gate", "reason"];
        cells.map(shown).to_vec()
    });
    let header = ["when", "who", "alias", "from", "to", "gate", "why"];
    output::text_line(&output::table(&header, &["from", "to"], rows.collect()))
}

/// What an entry changed of what is in production, or of what data are held to.
async fn change(pipeline: &Pipeline, entry: &Entry) -> Option<Value> {
    let Entry { when, who, .. } = entry;
    match &entry.event {
        Event::Register(_) => None,
        Event::Alias(alias) => {
            let gate = match &alias.gate {
                Some(evaluation) => verdict(pipeline, evaluation).await,
                None => None,
            };
            Some(json!({
                "when": when, "who": who, "alias": alias.alias, "from": alias.from,
                "to": alias.to, "reason": alias.reason, "gate": gate,
                "evaluation": alias.gate, "rollback": alias.rollback,
                "previous": entry.previous,
            }))
        }
        Event::Schema(accepted) => Some(json!({
            "when": when, "who": who, "alias": "schema", "from": null,
            "to": accepted.schema.digest.short(), "reason": accepted.reason,
            "schema": schema::told(&accepted.schema), "previous": entry.previous,
        })),
    }
}

/// The gate's verdict in an evaluation, where that is still there.
async fn verdict(pipeline: &Pipeline, evaluation: &Digest) -> Option<String> {
    let bytes = pipeline.store().blobs.get(evaluation, MAX_REPORT).await;
    let evaluation: Value = serde_json::from_slice(&bytes.ok()?).ok()?;
    Some(summary::text(evaluation.get("gate")?, "verdict"))
}

fn aliases(model: &ModelState) -> Vec<Value> {
    let aliases = model.aliases.iter();
    aliases
        .map(|(name, alias)| {
            json!({ "alias": name, "version": alias.version, "revision": alias.revision })
        })
        .collect()
}

fn object(summary: &str) -> Value {
    serde_json::from_str(summary).unwrap_or_default()
}
