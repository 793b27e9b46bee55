//! `septet models import`: an ONNX model becomes a version.
//!
//! The file is read by the infer component of ONNX models, in its sandbox: in here it is bytes.

use std::{fs, path::Path};

use anyhow::{Context as _, bail, ensure};
use septet::{
    contract::{Artifact, Disposition, ONNX_ALGORITHM, Origin as CallOrigin, Outcome},
    pipeline::registry::{Registration, check_model},
    stage::Control,
    store::Mode,
};
use serde_json::{Map, Value, json};

use super::{
    aliases::CHAMPION,
    args::{Import, Task},
    drawing::Drawing,
    output, sample,
    session::{Origin, Session},
    source,
};

/// What stands where the run does that made a version.
pub(crate) const RUN: &str = "import";

/// Bytes of a file, as its component reads them.
const MOST: u64 = 256 << 20;

/// Imports a model.
pub(crate) async fn import(origin: &Origin, words: &Import) -> anyhow::Result<()> {
    check_model(&words.name)?;
    let shown = words.file.display();
    source::check(&words.file)?;
    let size = fs::metadata(&words.file)
        .with_context(|| format!("{shown} can't be read"))?
        .len();
    ensure!(
        size <= MOST,
        "{shown} has {size} bytes; of an ONNX model at most {MOST} are read"
    );
    if let Some(data) = &words.data {
        source::check(data)?;
    }
    let session = origin.session(Mode::Create).await?;
    let drawing = Drawing::new();
    let made = {
        let _note =
            drawing.waiting("reading the model (its component is compiled once on this machine)");
        made(&session, words).await
    };
    drawing.finish();
    let (outcome, bundle) = made?;
    let infer = session.stages.keep_onnx().await?;
    let infer = infer.context("this septet was built without infer for ONNX")?;
    // As it will be asked: the recorded rows are replayed.
    let loaded = session.stages.predictor(&infer, &bundle, &[]).await;
    let loaded = loaded.with_context(|| format!("{shown}: load test"))?;
    let signature = loaded.signature();
    let columns = signature.inputs.len();
    let classes = signature.outputs.len().saturating_sub(1);
    let metrics: Map<String, Value> = outcome
        .metrics
        .iter()
        .map(|metric| (metric.name.clone(), json!(metric.value)))
        .collect();
    let summary = json!({
        "algorithm": ONNX_ALGORITHM,
        "task": if classes > 0 { "classification" } else { "regression" },
        "imported": file_name(&words.file),
        "metrics": few(&metrics, classes > 0),
    });
    let version = Registration {
        number: 0,
        bundle: bundle.digest,
        bundle_size: bundle.size,
        infer,
        summary: summary.to_string(),
        run: RUN.to_owned(),
        test: None,
        schema: None,
        split: None,
        tests: Vec::new(),
    };
    let registry = session.pipeline.registry();
    let (name, who) = (&words.name, &origin.environment.user);
    let number = registry.import(name, version, who).await?;
    if words.promote {
        let reason = format!("imported from {}", file_name(&words.file));
        registry
            .promote(name, CHAMPION, number, who, &reason)
            .await?;
    }
    if origin.global.json {
        return output::json(&json!({
            "model": name, "version": number, "digest": bundle.digest, "bytes": bundle.size,
            "infer": infer, "metrics": metrics, "notes": outcome.notes,
            "alias": words.promote.then_some(CHAMPION),
        }));
    }
    let mut lines = vec![format!(
        "model    {name}@{number} ({ONNX_ALGORITHM}, {})",
        bundle.digest.short()
    )];
    lines.push(match classes {
        0 => format!("takes    {columns} columns, gives a number"),
        _ => format!(
            "takes    {columns} columns, gives one of {classes} classes and their probabilities"
        ),
    });
    if let Value::Object(few) = few(&metrics, classes > 0) {
        let few: Vec<String> = few
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", output::figure(value.as_f64()?))))
            .collect();
        if !few.is_empty() {
            lines.push(format!(
                "metrics  {} (of the data that came with it)",
                few.join("   ")
            ));
        }
    }
    lines.extend(outcome.notes.iter().map(|note| format!("note     {note}")));
    lines.push(if words.promote {
        format!("deployed {name}@{number} is {CHAMPION}")
    } else {
        format!("deployed no: `septet models promote {name}@{number}` makes it the champion")
    });
    output::text_line(&lines.join("\n"))
}

/// The bundle of the file.
async fn made(session: &Session, words: &Import) -> anyhow::Result<(Outcome, Artifact)> {
    let shown = words.file.display();
    let store = session.pipeline.store();
    let onnx = source::add(store, &words.file, "onnx", "application/onnx").await?;
    let mut inputs = Vec::new();
    if let Some(data) = &words.data {
        inputs.push(sample::table(session, data).await?);
    }
    let mut parameters = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            parameters.insert(name.to_owned(), value);
        }
    };
    set("target", words.target.as_ref().map(|target| json!(target)));
    let task = words.task.filter(|task| *task != Task::Auto);
    set("task", task.map(|task| json!(task.name())));
    set(
        "positive",
        words.positive.as_ref().map(|class| json!(class)),
    );
    set(
        "columns",
        (!words.columns.is_empty()).then(|| json!(words.columns)),
    );
    let parameters = serde_json_canonicalizer::to_string(&parameters)?;
    let origin = CallOrigin {
        run: RUN.to_owned(),
        unit: 0,
        attempt: 1,
    };
    let control = Control::new();
    let (given, from) = ((parameters, 0), (origin, &control));
    let executed = session
        .stages
        .import_onnx(onnx, inputs, given, from)
        .await?;
    let outcome = match executed.disposition {
        Disposition::Ok(outcome) => outcome,
        Disposition::Rejected { reason }
        | Disposition::Retry { reason, .. }
        | Disposition::Failed { reason, .. } => bail!("{shown}: {reason}"),
    };
    let bundle = outcome
        .outputs
        .iter()
        .find(|output| output.name == "bundle")
        .cloned();
    let bundle = bundle.with_context(|| format!("{shown}: no bundle was made of it"))?;
    Ok((outcome, bundle))
}

/// The figures that tell most.
fn few(metrics: &Map<String, Value>, classes: bool) -> Value {
    let names: &[&str] = if classes {
        &["accuracy", "balanced_accuracy", "log_loss"]
    } else {
        &["r2", "rmse", "mae"]
    };
    let all = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), metrics.get(*name)?.clone())));
    Value::Object(all.collect())
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.chars().take(80).collect()
}
