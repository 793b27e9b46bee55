//! `septet models`: versions, aliases, and every change of what is in production.

use septet::pipeline::{
    ModelRef, Pipeline, Selector,
    registry::{Event, ModelState},
};
use serde_json::{Value, json};

use super::{args::ModelsCommand, output, session::Origin, summary};

/// The alias that promote and rollback move.
const CHAMPION: &str = "champion";

/// Lists models, or does what the command says.
pub(crate) async fn models(origin: &Origin, command: Option<&ModelsCommand>) -> anyhow::Result<()> {
    let pipeline = origin.existing().await?;
    match command {
        None => list(origin, &pipeline).await,
        Some(ModelsCommand::Show { model }) => show(origin, &pipeline, model).await,
        Some(ModelsCommand::Log { model }) => log(origin, &pipeline, model).await,
        Some(ModelsCommand::Promote { model, reason }) => {
            promote(origin, &pipeline, model, reason).await
        }
        Some(ModelsCommand::Rollback { model, reason }) => {
            rollback(origin, &pipeline, model, reason).await
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
                    "summary": object(&version.pinned.summary),
                })
            })
            .collect();
        return output::json(&json!({
            "model": state.name, "aliases": aliases(&state), "versions": versions,
        }));
    }
    let rows = state.versions.iter().map(|version| {
        let summary = object(&version.pinned.summary);
        let number = version.pinned.number;
        let names: Vec<&str> = state
            .aliases
            .iter()
            .filter(|(_, alias)| alias.version == number)
            .map(|(name, _)| name.as_str())
            .collect();
        let metrics = summary.get("metrics").and_then(Value::as_object);
        let metrics = metrics.into_iter().flatten().filter_map(|(name, value)| {
            value
                .as_f64()
                .map(|value| format!("{name} {}", output::figure(value)))
        });
        let gate = summary
            .get("gate")
            .map(|gate| summary::text(gate, "verdict"));
        vec![
            number.to_string(),
            names.join(" "),
            summary::text(&summary, "algorithm"),
            gate.unwrap_or_default(),
            metrics.take(3).collect::<Vec<_>>().join("  "),
            version.pinned.bundle.short(),
            version.when.clone(),
        ]
    });
    let header = [
        "version",
        "alias",
        "algorithm",
        "gate",
        "metrics",
        "bundle",
        "registered",
    ];
    output::text_line(&output::table(&header, &["version"], rows.collect()))
}

async fn log(origin: &Origin, pipeline: &Pipeline, model: &str) -> anyhow::Result<()> {
    let model: ModelRef = model.parse()?;
    let registry = pipeline.registry();
    registry.existing(&model.name).await?;
    let entries = registry.log(&model.name).await?;
    let moves = entries.iter().filter_map(|entry| match &entry.event {
        Event::Alias(alias) => Some((entry, alias)),
        Event::Register(_) | Event::Schema(_) => None,
    });
    if origin.global.json {
        let log: Vec<_> = moves
            .map(|(entry, alias)| {
                json!({
                    "when": entry.when, "who": entry.who, "alias": alias.alias,
                    "from": alias.from, "to": alias.to, "reason": alias.reason,
                    "evaluation": alias.gate, "rollback": alias.rollback,
                    "previous": entry.previous,
                })
            })
            .collect();
        return output::json(&json!({ "model": model.name, "log": log }));
    }
    let rows: Vec<_> = moves
        .map(|(entry, alias)| {
            vec![
                entry.when.clone(),
                alias.alias.clone(),
                alias.from.map_or("–".to_owned(), |from| from.to_string()),
                alias.to.to_string(),
                entry.who.clone(),
                alias.reason.clone(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return output::text_line(&format!("no alias of {} was ever moved", model.name));
    }
    let header = ["when", "alias", "from", "to", "who", "why"];
    output::text_line(&output::table(&header, &["from", "to"], rows))
}

async fn promote(
    origin: &Origin,
    pipeline: &Pipeline,
    model: &str,
    reason: &str,
) -> anyhow::Result<()> {
    let asked: ModelRef = model.parse()?;
    let Selector::Version(version) = asked.selector else {
        anyhow::bail!(
            "which version of {}? say {}@VERSION",
            asked.name,
            asked.name
        );
    };
    let registry = pipeline.registry();
    registry
        .promote(
            &asked.name,
            CHAMPION,
            version,
            &origin.environment.user,
            reason,
        )
        .await?;
    moved(origin, &asked.name, version)
}

async fn rollback(
    origin: &Origin,
    pipeline: &Pipeline,
    model: &str,
    reason: &str,
) -> anyhow::Result<()> {
    let asked: ModelRef = model.parse()?;
    let registry = pipeline.registry();
    let version = registry
        .rollback(&asked.name, CHAMPION, &origin.environment.user, reason)
        .await?;
    moved(origin, &asked.name, version)
}

fn moved(origin: &Origin, model: &str, version: u32) -> anyhow::Result<()> {
    if origin.global.json {
        return output::json(&json!({ "model": model, "alias": CHAMPION, "version": version }));
    }
    output::text_line(&format!("{model}@{version} is {CHAMPION}"))
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
