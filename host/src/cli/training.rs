//! From flags and settings to what a train run is asked to do.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use septet::{
    contract::{Artifact, Stage},
    pipeline::{Pinned, RunKind, RunRequest, registry::check_model},
    trigger::Part,
};
use serde_json::{Map, Value};

use super::{
    args::{Run, Split, Task},
    data::Data,
    dataset,
    parameters::Parameters,
    request,
    session::{Origin, Session},
    source,
};
use crate::config::{PreprocessSettings, files};

/// Bytes of a schema's JSON at most: what the components take.
const MAX_SCHEMA: u64 = 4 << 20;

/// What can be known of a train run before a store is opened.
#[derive(Debug)]
pub(crate) struct Train {
    name: String,
    data: Data,
    tests: Vec<PathBuf>,
    schema: Option<Vec<u8>>,
    parameters: BTreeMap<Stage, Value>,
    transforms: Vec<String>,
    seed: u64,
}

impl Train {
    /// Joins flags and settings to what is done with `data`; nothing is opened but a schema, and to
    /// look whether files are there.
    pub(crate) fn of(run: &Run, data: Vec<Part>, origin: &Origin) -> anyhow::Result<Self> {
        let settings = &origin.settings;
        let target = either(run.target.as_ref(), settings.run.target.as_ref());
        let target = target.context("no target: name the column to predict with --target COL")?;
        let split = split(run, &settings.preprocess)?;
        let tests = match split {
            Some("file") if run.test.is_empty() => settings.preprocess.test.as_slice(),
            Some("file") => run.test.as_slice(),
            _ => &[],
        };
        let tests = dataset::files(tests)?;
        let data = Data::of(data)?.without(&tests)?;
        let name = either(run.name.as_ref(), settings.run.name.as_ref());
        let name = name.unwrap_or_else(|| data.name());
        check_model(&name)?;
        let schema = run.schema.as_deref().or(settings.ingest.schema.as_deref());
        let schema = schema.map(|file| read_schema(file, true)).transpose()?;
        let metric = either(run.metric.as_ref(), settings.train.metric.as_ref());
        let parameters = BTreeMap::from([
            (Stage::Ingest, request::ingest_parameters(origin)),
            (Stage::Preprocess, preprocess(run, origin, target, split)?),
            (Stage::Train, train(run, origin, metric.clone())?),
            (Stage::Evaluate, evaluate(run, origin, metric)),
            (Stage::Deploy, {
                let mut deploy = Parameters::new();
                deploy.set("promote", run.promote.then_some(true));
                deploy.into()
            }),
        ]);
        let transforms = list(&run.transforms, &settings.preprocess.transforms);
        for file in transforms.iter().filter(|text| files::is_file(text)) {
            source::check(Path::new(file))?;
        }
        let seed = run.seed.or(settings.run.seed).unwrap_or(0);
        Ok(Self {
            name,
            data,
            tests,
            schema,
            parameters,
            transforms,
            seed,
        })
    }

    /// Reads the files into the store and writes down what the run is.
    pub(crate) async fn request(self, session: &Session) -> anyhow::Result<RunRequest> {
        let mut sources = self.data.sources(session).await?;
        sources.extend(request::sources(session, &self.tests).await?);
        let declared = match &self.schema {
            Some(bytes) => Some(add_schema(session, bytes).await?),
            None => None,
        };
        let mut transforms = Vec::new();
        for transform in &self.transforms {
            transforms.push(request::transform(session, transform).await?);
        }
        request::keep_components(session).await?;
        Ok(RunRequest {
            kind: RunKind::Train,
            name: self.name,
            sources,
            parameters: self.parameters,
            seed: self.seed,
            components: request::components(session)?,
            model: None,
            transforms,
            created: session.pipeline.timestamp(),
            tests: self.tests.len() as u32,
            declared,
            pinned: Pinned::default(),
            trace: None,
        })
    }
}

/// The split that is asked for; none where nothing says which.
fn split(run: &Run, settings: &PreprocessSettings) -> anyhow::Result<Option<&'static str>> {
    let implied = |test: bool, group: bool, time: bool| match (test, group, time) {
        (true, ..) => Some("file"),
        (_, true, _) => Some("group"),
        (_, _, true) => Some("time"),
        _ => None,
    };
    let (tested, grouped) = (!run.test.is_empty(), run.group.is_some());
    ensure!(
        !(tested && (grouped || run.split.is_some())),
        "--test names the test rows: --split and --group do not go with it"
    );
    if grouped && run.split.is_some_and(|split| split != Split::Group) {
        bail!("--group goes with --split group only");
    }
    let flagged = run.split.map(Split::name);
    // A time of the command line may be for the window only: the file may say what the split is.
    let settled = settings.split.is_some() || !settings.test.is_empty() || settings.group.is_some();
    let timed = run.time.is_some() && !settled;
    let flagged = flagged.or_else(|| implied(tested, grouped, timed));
    let split = match (flagged, settings.split.as_deref()) {
        (Some(split), _) => Some(split),
        (None, Some("hash")) => Some("hash"),
        (None, Some("group")) => Some("group"),
        (None, Some("time")) => Some("time"),
        (None, Some(other)) => bail!("split is '{other}': it is hash, group or time"),
        (None, None) => implied(
            !settings.test.is_empty(),
            settings.group.is_some(),
            settings.time.is_some(),
        ),
    };
    let has = |flag: Option<&String>, setting: Option<&String>| flag.or(setting).is_some();
    if split == Some("group") && !has(run.group.as_ref(), settings.group.as_ref()) {
        bail!("the split group needs a column: name it with --group COL");
    }
    let timed = has(run.time.as_ref(), settings.time.as_ref());
    if split == Some("time") && !timed {
        bail!("the split time needs a column: name it with --time COL");
    }
    if has(run.window.as_ref(), settings.window.as_ref()) && !timed {
        bail!("a window needs the column of the time: name it with --time COL");
    }
    Ok(split)
}

fn preprocess(
    run: &Run,
    origin: &Origin,
    target: String,
    split: Option<&str>,
) -> anyhow::Result<Value> {
    let settings = &origin.settings.preprocess;
    let task = run.task.map(|task| Task::name(task).to_owned());
    let test_share = run.test_share.or(settings.test_share);
    if let Some(share) = test_share {
        ensure!(
            share > 0.0 && share < 1.0,
            "test_share is {share}: give a share between 0 and 1"
        );
    }
    let grouped = split == Some("group");
    let group = either(run.group.as_ref(), settings.group.as_ref()).filter(|_| grouped);
    let class_weight = run.class_weight.map(|how| how.name().to_owned());
    let mut parameters = Parameters::new();
    parameters.set("target", Some(target));
    parameters.set("task", task.or_else(|| origin.settings.run.task.clone()));
    parameters.set("split", split);
    parameters.set("test_share", test_share);
    parameters.set("group", group);
    for (name, flag, setting) in [
        ("key", &run.key, &settings.key),
        ("time", &run.time, &settings.time),
        ("window", &run.window, &settings.window),
        ("positive", &run.positive, &settings.positive),
        ("weight", &run.weight, &settings.weight),
        ("class_weight", &class_weight, &settings.class_weight),
    ] {
        parameters.set(name, either(flag.as_ref(), setting.as_ref()));
    }
    let drop = list(&run.drop, &settings.drop);
    parameters.set("drop", (!drop.is_empty()).then_some(drop));
    parameters.set_all("numbers", &settings.numbers);
    parameters.set_all("categories", &settings.categories);
    parameters.set_all("columns", &settings.columns);
    for setting in &run.preprocess {
        let (name, value) = source::pair(setting, "--preprocess", "K=V")?;
        parameters.set_within(name, source::value(value))?;
    }
    Ok(parameters.into())
}

fn train(run: &Run, origin: &Origin, metric: Option<String>) -> anyhow::Result<Value> {
    let settings = &origin.settings.train;
    let threshold = run.threshold.or(settings.threshold);
    if let Some(threshold) = threshold {
        ensure!(
            (0.0..=1.0).contains(&threshold),
            "threshold is {threshold}: give a probability from 0 to 1"
        );
    }
    // The settings' parameters, each replaced by the flag of the same name.
    let mut algorithm: Map<String, Value> = settings.parameters.clone().into_iter().collect();
    for parameter in &run.parameters {
        let (name, value) = source::pair(parameter, "--param", "K=V")?;
        algorithm.insert(name.to_owned(), source::value(value));
    }
    let mut parameters = Parameters::new();
    let named = either(run.algorithm.as_ref(), settings.algorithm.as_ref());
    parameters.set("algorithm", named);
    parameters.set_all("parameters", &algorithm);
    parameters.set("metric", metric);
    parameters.set("threshold", threshold);
    parameters.set("folds", settings.folds);
    Ok(parameters.into())
}

fn evaluate(run: &Run, origin: &Origin, metric: Option<String>) -> Value {
    let settings = &origin.settings.evaluate;
    let policy = run.policy.map(|policy| policy.name().to_owned());
    let mut parameters = Parameters::new();
    parameters.set("margin", settings.margin);
    parameters.set("metric", metric);
    parameters.set("policy", policy.or_else(|| settings.policy.clone()));
    let slice = either(run.slice.as_ref(), settings.slice.as_ref());
    parameters.set("slice", slice);
    parameters.set("resamples", settings.resamples);
    parameters.into()
}

/// Kinds of a schema's columns, as ingest knows them.
const KINDS: [&str; 7] = [
    "integer",
    "float",
    "boolean",
    "category",
    "text",
    "timestamp",
    "null",
];

/// A schema that a person wrote: a JSON object, as it is put into the store. What its columns are
/// is looked at by the components, but for what is most often wrong.
pub(crate) fn read_schema(file: &Path, declared: bool) -> anyhow::Result<Vec<u8>> {
    source::check(file)?;
    let shown = file.display();
    let unread = || format!("the schema {shown} can't be read");
    let size = std::fs::metadata(file).with_context(unread)?.len();
    ensure!(
        size <= MAX_SCHEMA,
        "the schema {shown} has {size} bytes; at most {MAX_SCHEMA} are read"
    );
    let bytes = std::fs::read(file).with_context(unread)?;
    let mut schema: Map<String, Value> =
        serde_json::from_slice(&bytes).with_context(|| format!("the schema {shown} is no JSON"))?;
    ensure!(
        schema.get("columns").is_some_and(Value::is_array),
        "the schema {shown} has no list of columns, as {{\"columns\": [{{\"name\": \"age\", \
         \"kind\": \"integer\"}}]}}"
    );
    // Ingest checks all of it, but would name the data file.
    let columns = schema.get("columns").and_then(Value::as_array);
    for (number, column) in (1..).zip(columns.into_iter().flatten()) {
        let text = |key: &str| column.get(key).and_then(Value::as_str);
        let kind = text("kind").unwrap_or_default();
        ensure!(
            text("name").is_some() && KINDS.contains(&kind),
            "the schema {shown} has no name or no kind for its column {number}: a kind is one of {}",
            KINDS.join(", ")
        );
    }
    schema.entry("format").or_insert_with(|| Value::from(1_u32));
    if declared {
        schema.insert("declared".to_owned(), Value::from(true));
    }
    Ok(serde_json_canonicalizer::to_vec(&schema)?)
}

/// Puts a schema into the store.
pub(crate) async fn add_schema(session: &Session, bytes: &[u8]) -> anyhow::Result<Artifact> {
    schema_artifact(session.pipeline.store(), bytes).await
}

/// A schema as a blob of the store.
pub(crate) async fn schema_artifact(
    store: &septet::store::Store,
    bytes: &[u8],
) -> anyhow::Result<Artifact> {
    Ok(Artifact {
        name: "schema".to_owned(),
        digest: store.blobs.put(bytes).await?,
        size: bytes.len() as u64,
        media_type: "application/json".to_owned(),
    })
}

/// The flag, else the setting.
fn either(flag: Option<&String>, setting: Option<&String>) -> Option<String> {
    flag.or(setting).cloned()
}

/// The flags, else the settings.
fn list<T: Clone>(flags: &[T], settings: &[T]) -> Vec<T> {
    if flags.is_empty() { settings } else { flags }.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(
        change: &dyn Fn(&mut Run, &mut PreprocessSettings),
    ) -> Result<Option<&'static str>, String> {
        let (mut run, mut settings) = (Run::default(), PreprocessSettings::default());
        change(&mut run, &mut settings);
        split(&run, &settings).map_err(|error| error.to_string())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what the fields take")]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_split_is_said_or_implied() {
        assert_eq!(with(&|_, _| {}), Ok(None));
        assert_eq!(with(&|r, _| r.group = some("g")), Ok(Some("group")));
        assert_eq!(with(&|r, _| r.time = some("t")), Ok(Some("time")));
        let hash = |r: &mut Run, _: &mut PreprocessSettings| {
            r.time = some("t");
            r.split = Some(Split::Hash);
        };
        assert_eq!(with(&hash), Ok(Some("hash")));
        assert_eq!(
            with(&|r, _| r.test = vec!["t.csv".into()]),
            Ok(Some("file"))
        );
        assert_eq!(with(&|_, s| s.group = some("g")), Ok(Some("group")));
        // A time may be for the window only: what the file says of the split holds.
        let mixed = |r: &mut Run, s: &mut PreprocessSettings| {
            s.group = some("g");
            r.time = some("t");
        };
        assert_eq!(with(&mixed), Ok(Some("group")));
        let said = |r: &mut Run, s: &mut PreprocessSettings| {
            s.split = some("hash");
            r.time = some("t");
            r.split = Some(Split::Time);
        };
        assert_eq!(with(&said), Ok(Some("time")));
    }

    #[test]
    fn splits_that_contradict_are_refused() {
        let told = |change: &dyn Fn(&mut Run, &mut PreprocessSettings)| with(change).unwrap_err();
        assert!(told(&|r, _| r.split = Some(Split::Time)).contains("--time COL"));
        assert!(told(&|r, _| r.split = Some(Split::Group)).contains("--group COL"));
        assert!(told(&|r, _| r.window = some("90d")).contains("--time COL"));
        assert!(told(&|_, s| s.split = some("dice")).contains("'dice'"));
        let both = |r: &mut Run, _: &mut PreprocessSettings| {
            r.test = vec!["t.csv".into()];
            r.group = some("g");
        };
        assert!(told(&both).contains("--test"));
        let other = |r: &mut Run, _: &mut PreprocessSettings| {
            r.group = some("g");
            r.split = Some(Split::Hash);
        };
        assert!(told(&other).contains("--split group"));
    }

    #[test]
    fn a_schema_is_declared() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("schema.json");
        std::fs::write(&file, r#"{"columns":[{"name":"a","kind":"integer"}]}"#).unwrap();
        let bytes = read_schema(&file, true).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"columns":[{"kind":"integer","name":"a"}],"declared":true,"format":1}"#
        );
        for bad in ["[]", "{", "{}", r#"{"columns":3}"#] {
            std::fs::write(&file, bad).unwrap();
            assert!(read_schema(&file, true).is_err(), "{bad}");
        }
    }
}
