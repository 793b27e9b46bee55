//! A finished run as one object: what `--json` prints and what the text is made from.

use std::collections::BTreeMap;

use anyhow::Context as _;
use septet::{
    contract::{Digest, Stage},
    pipeline::{AliasResult, Pipeline, RunRequest, RunState, StageRow},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{output, parts};

/// Largest report of a stage that is read, in bytes.
const MAX_REPORT: u64 = 4 << 20;

/// A finished train run.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) run: String,
    pub(crate) dataset: Dataset,
    pub(crate) model: Model,
    /// On the test rows, named as scikit-learn names them.
    pub(crate) metrics: BTreeMap<String, f64>,
    pub(crate) gate: Gate,
    /// The metric by which the gate decides, with its bootstrap interval.
    pub(crate) primary: Option<Primary>,
    /// Of two classes, the one that is looked for.
    pub(crate) positive: Option<String>,
    /// The probability from which a row is of that class.
    pub(crate) threshold: Option<f64>,
    /// How many versions were evaluated on the same test rows.
    pub(crate) test_uses: Option<u32>,
    /// Parts that do not fit the schema, and why.
    pub(crate) set_apart: Vec<String>,
    /// Whether the gate let the model pass but it was rolled back before.
    pub(crate) barred: bool,
    /// The alias that points at the model now; none where the gate did not let it.
    pub(crate) deployed: Option<Deployed>,
    pub(crate) stages: Vec<StageLine>,
}

/// What a run was trained on.
#[derive(Debug, Serialize)]
pub(crate) struct Dataset {
    /// The sha-256 of the parts' digests.
    pub(crate) digest: Digest,
    pub(crate) rows: u64,
    pub(crate) columns: u64,
    pub(crate) quarantined: u64,
}

/// The model that came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Model {
    pub(crate) name: String,
    /// None where an external deploy did not propose the model.
    pub(crate) version: Option<u32>,
    pub(crate) digest: Digest,
    pub(crate) algorithm: String,
}

/// The gate's decision.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Gate {
    pub(crate) verdict: String,
    pub(crate) reasons: Vec<String>,
}

/// The metric by which the gate decides.
#[derive(Debug, Serialize)]
pub(crate) struct Primary {
    pub(crate) metric: String,
    pub(crate) value: f64,
    /// Percentiles 2.5 and 97.5 of the bootstrap.
    pub(crate) interval: Option<(f64, f64)>,
}

/// Where an alias points.
#[derive(Debug, Serialize)]
pub(crate) struct Deployed {
    pub(crate) alias: String,
    pub(crate) version: u32,
}

/// One call of one stage.
#[derive(Debug, Serialize)]
pub(crate) struct StageLine {
    pub(crate) stage: Stage,
    pub(crate) component: Option<Digest>,
    pub(crate) status: &'static str,
    pub(crate) cached: bool,
    pub(crate) seconds: f64,
    pub(crate) peak_memory_bytes: u64,
    pub(crate) notes: Vec<String>,
}

/// The part of evaluate's report that is shown.
#[derive(Deserialize)]
struct Evaluation {
    /// None where the evaluation is of an external stage that has no gate.
    gate: Option<Gate>,
    primary: Option<String>,
    positive: Option<String>,
    threshold: Option<f64>,
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
    #[serde(default)]
    intervals: BTreeMap<String, Interval>,
}

#[derive(Deserialize)]
struct Interval {
    low: f64,
    high: f64,
}

impl Evaluation {
    fn primary(&self) -> Option<Primary> {
        let metric = self.primary.clone()?;
        let interval = self.intervals.get(&metric);
        Some(Primary {
            value: *self.metrics.get(&metric)?,
            interval: interval.map(|interval| (interval.low, interval.high)),
            metric,
        })
    }
}

impl Summary {
    /// Folds a finished train run.
    pub(crate) async fn of(pipeline: &Pipeline, state: &RunState) -> anyhow::Result<Self> {
        let name = &state.request.name;
        let bundle = state
            .output(Stage::Train, "bundle")
            .context("the run has no model")?;
        let evaluation: Evaluation = report(pipeline, state, Stage::Evaluate, "evaluation").await?;
        let registry = pipeline.registry().state(name).await?;
        let version = registry.version_of(&bundle.digest);
        let summary = version.map_or("", |version| &version.pinned.summary);
        let summary: Value = serde_json::from_str(summary).unwrap_or_default();
        let number = version.map(|version| version.pinned.number);
        let mut aliases = registry.aliases.iter();
        let deployed = aliases.find(|(_, alias)| Some(alias.version) == number);
        Ok(Self {
            run: state.id.clone(),
            dataset: Dataset::of(state),
            model: Model {
                name: name.clone(),
                version: number,
                digest: bundle.digest,
                algorithm: text(&summary, "algorithm"),
            },
            metrics: metrics(state, Stage::Evaluate),
            primary: evaluation.primary(),
            threshold: evaluation
                .threshold
                .or_else(|| summary.get("threshold").and_then(Value::as_f64)),
            positive: evaluation
                .positive
                .or_else(|| Some(text(&summary, "positive")).filter(|text| !text.is_empty())),
            test_uses: version.and_then(|version| registry.test_uses_of(version)),
            set_apart: parts::set_apart(pipeline, state).await,
            barred: state
                .last_commit(Stage::Deploy)
                .and_then(|commit| state.change(&commit.invocation))
                .is_some_and(|change| matches!(change.alias, Some((_, AliasResult::Barred)))),
            gate: evaluation.gate.unwrap_or_else(|| Gate {
                verdict: "no gate".to_owned(),
                reasons: vec!["the evaluation has none".to_owned()],
            }),
            deployed: deployed.map(|(alias, there)| Deployed {
                alias: alias.clone(),
                version: there.version,
            }),
            stages: lines(&pipeline.rows(&state.id).await?, &state.request),
        })
    }
}

impl Dataset {
    fn of(state: &RunState) -> Self {
        let parts = state
            .request
            .sources
            .iter()
            .map(|source| source.artifact.digest.to_string());
        let parts: Vec<String> = parts.collect();
        let ingests: Vec<_> = state
            .commits()
            .filter(|commit| commit.invocation.stage == Stage::Ingest)
            .collect();
        let values = |name: &'static str| {
            let outcomes = ingests.iter().filter_map(|commit| commit.outcome());
            outcomes.filter_map(move |outcome| {
                outcome
                    .metrics
                    .iter()
                    .find(|metric| metric.name == name)
                    .map(|m| m.value as u64)
            })
        };
        Self {
            digest: Digest::of(parts.join("\n").as_bytes()),
            rows: values("rows").sum(),
            columns: values("columns").max().unwrap_or(0),
            quarantined: values("quarantined").sum(),
        }
    }
}

/// A stage's report, read from the store.
pub(crate) async fn report<T: serde::de::DeserializeOwned>(
    pipeline: &Pipeline,
    state: &RunState,
    stage: Stage,
    name: &str,
) -> anyhow::Result<T> {
    let (_, bytes) = pipeline.artifact(state, stage, name, MAX_REPORT).await?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("the {name} of {stage} is not what it should be"))
}

/// The figures of a stage's last call.
pub(crate) fn metrics(state: &RunState, stage: Stage) -> BTreeMap<String, f64> {
    let outcome = state.last_commit(stage).and_then(|commit| commit.outcome());
    let metrics = outcome
        .map(|outcome| outcome.metrics.as_slice())
        .unwrap_or_default();
    metrics
        .iter()
        .map(|metric| (metric.name.clone(), metric.value))
        .collect()
}

/// The stages' rows as they are printed.
pub(crate) fn lines(rows: &[StageRow], request: &RunRequest) -> Vec<StageLine> {
    let line = |row: &StageRow| StageLine {
        stage: row.stage,
        component: row.component,
        status: row.status,
        cached: row.cached,
        seconds: row.seconds,
        peak_memory_bytes: row.peak_memory_bytes,
        notes: parts::notes(row, request),
    };
    rows.iter().map(line).collect()
}

/// The stages as a table.
pub(crate) fn stage_table(lines: &[StageLine]) -> String {
    let rows = lines.iter().map(|line| {
        vec![
            line.stage.to_string(),
            line.component
                .map(|digest| digest.short())
                .unwrap_or_default(),
            if line.cached {
                "cached".to_owned()
            } else {
                line.status.to_owned()
            },
            if line.cached {
                "–".to_owned()
            } else {
                format!("{:.3}", line.seconds)
            },
            match line.peak_memory_bytes {
                0 => "–".to_owned(),
                bytes => output::size(bytes),
            },
        ]
    });
    let header = ["stage", "component", "status", "seconds", "memory"];
    output::table(&header, &["seconds", "memory"], rows.collect())
}

/// The text at a key of an object, or nothing.
pub(crate) fn text(object: &Value, key: &str) -> String {
    object
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
