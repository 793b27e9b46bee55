//! `septet invoke`: one stage alone, on files and without a store.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use septet::{
    contract::{Call, Disposition, Executed, Origin as CallOrigin, Outcome, PinnedAlias, Stage},
    pipeline::{Executor as _, Invocation, Observer as _, Pipeline, Progress},
    store::{copy, memory},
    trigger::Stages,
};
use serde_json::{Map, Value, json};

use super::{
    args::Invoke,
    drawing::Drawing,
    output, request,
    session::{Origin, Session},
    source,
};

/// Runs one call and writes what came of it.
pub(crate) async fn invoke(origin: &Origin, invoke: &Invoke) -> anyhow::Result<()> {
    let inputs = inputs(invoke)?;
    empty(&invoke.out)?;
    let store = memory();
    let stages = origin.stages(&store)?;
    let session = Session {
        pipeline: Pipeline::new(store),
        stages,
        trust: origin.trust()?,
    };
    let call = call(&session, invoke, &inputs).await?;
    let drawing = Drawing::new();
    let watch = Invocation::new("invoke", invoke.stage, 0);
    drawing.started(&watch, 1);
    let observer = Arc::clone(&drawing);
    let progress: Progress = Arc::new(move |done, total| observer.progress(&watch, done, total));
    let executed = Stages(Arc::clone(&session.stages))
        .execute(call, progress)
        .await;
    drawing.finish();
    let executed = executed?;
    let outcome = outcome(invoke.stage, &executed)?;
    let files = write(&session, &outcome, &invoke.out).await?;
    if origin.global.json {
        return output::json(&json!({
            "stage": invoke.stage,
            "outcome": outcome,
            "messages": executed.messages,
            "proposals": executed.proposals,
            "used": executed.used,
            "seconds": executed.seconds,
            "peak_memory_bytes": executed.peak_memory_bytes,
        }));
    }
    let mut lines = vec![format!(
        "{} ok in {:.3} s, {} of memory",
        invoke.stage,
        executed.seconds,
        output::size(executed.peak_memory_bytes)
    )];
    let metrics = outcome.metrics.iter();
    lines.extend(metrics.map(|m| format!("  {} {}", m.name, output::figure(m.value))));
    lines.extend(outcome.notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(files.iter().map(|file| format!("  {}", file.display())));
    output::text_line(&lines.join("\n"))
}

/// The inputs' names and files.
fn inputs(invoke: &Invoke) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut inputs = Vec::new();
    for input in &invoke.inputs {
        let (name, path) = source::pair(input, "--input", "NAME=FILE")?;
        let path = PathBuf::from(path);
        source::check(&path)?;
        inputs.push((name.to_owned(), path));
    }
    Ok(inputs)
}

/// The folder must be new or empty, so that nothing is mixed with what lay there.
fn empty(out: &Path) -> anyhow::Result<()> {
    let shown = out.display();
    match fs::read_dir(out) {
        Ok(mut entries) => {
            ensure!(
                entries.next().is_none(),
                "the folder {shown} is not empty: name a new one"
            );
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).context(format!("{shown} can't be used as a folder")),
    }
}

async fn call(
    session: &Session,
    invoke: &Invoke,
    files: &[(String, PathBuf)],
) -> anyhow::Result<Call> {
    let store = session.pipeline.store();
    let mut inputs = Vec::new();
    for (name, path) in files {
        inputs.push(source::add(store, path, name, source::media_type(path)).await?);
    }
    let mut parameters = Map::new();
    for parameter in &invoke.parameters {
        let (name, value) = source::pair(parameter, "--param", "K=V")?;
        parameters.insert(name.to_owned(), source::value(value));
    }
    let mut transforms = Vec::new();
    for transform in &invoke.transforms {
        transforms.push(request::transform(session, transform).await?);
    }
    if !transforms.is_empty() && invoke.stage == Stage::Preprocess {
        parameters.insert("transforms".to_owned(), json!(transforms));
    }
    let catalog = session.stages.catalog();
    let component = match &invoke.component {
        None => session.component(invoke.stage)?,
        Some(path) => {
            let added = source::add_component(session, path, "component").await?;
            session.trusts(path, &added.digest).await?;
            let loaded = catalog.load(invoke.stage, &added.digest).await;
            loaded.with_context(|| format!("{} can't be used", path.display()))?;
            added.digest
        }
    };
    Ok(Call {
        stage: invoke.stage,
        component,
        inputs,
        aliases: aliases(&parameters),
        parameters: serde_json_canonicalizer::to_string(&parameters)?,
        seed: invoke.seed,
        infer: session.component(Stage::Infer)?,
        transforms,
        origin: CallOrigin {
            run: "invoke".to_owned(),
            unit: 0,
            attempt: 1,
        },
    })
}

/// Without a store there is no registry: the alias that the stage is told of is not set.
fn aliases(parameters: &Map<String, Value>) -> Vec<PinnedAlias> {
    let text = |name: &str| {
        parameters
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let Some(model) = text("model") else {
        return Vec::new();
    };
    let alias = text("alias").unwrap_or_else(|| "champion".to_owned());
    vec![PinnedAlias {
        model,
        alias,
        revision: 0,
        version: None,
    }]
}

fn outcome(stage: Stage, executed: &Executed) -> anyhow::Result<Outcome> {
    match &executed.disposition {
        Disposition::Ok(outcome) => Ok(outcome.clone()),
        Disposition::Rejected { reason } => bail!("stage {stage}: {reason}"),
        Disposition::Retry { after, reason } => {
            bail!("stage {stage} asks to be tried again in {after} ms: {reason}")
        }
        Disposition::Failed { reason, .. } => bail!("stage {stage} failed: {reason}"),
    }
}

/// Writes the artifacts and outcome.json; gives their paths.
async fn write(session: &Session, outcome: &Outcome, out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = out.display();
    fs::create_dir_all(out).with_context(|| format!("the folder {shown} can't be made"))?;
    let mut files = Vec::new();
    for artifact in &outcome.outputs {
        // The name comes from the component: only a plain word becomes a file's name.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        ensure!(
            !artifact.name.starts_with('.') && artifact.name.chars().all(plain),
            "the artifact '{}' has a name that can't be a file's",
            artifact.name.escape_debug()
        );
        let path = out.join(format!(
            "{}.{}",
            artifact.name,
            source::ending(&artifact.media_type)
        ));
        let failed = || format!("{} can't be written", path.display());
        let mut file = fs::File::create_new(&path).with_context(failed)?;
        let blobs = session.pipeline.store().blobs.as_ref();
        copy(blobs, &artifact.digest, |piece| {
            std::io::Write::write_all(&mut file, piece).with_context(failed)
        })
        .await?;
        files.push(path);
    }
    let path = out.join("outcome.json");
    ensure!(
        !files.contains(&path),
        "the artifact 'outcome' has the name that the outcome itself needs"
    );
    let text = serde_json::to_string_pretty(outcome)?;
    fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))?;
    files.push(path);
    Ok(files)
}
