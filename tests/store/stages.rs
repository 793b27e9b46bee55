//! Seven stages in a few lines: their outputs are digests of their inputs, a model is as good as
//! its parameter says, and the gate compares.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use septet::{
    contract::{
        AliasChange, Artifact, Call, Digest, Disposition, Executed, Metric, Outcome, Proposal,
        Stage, StageMessage,
    },
    pipeline::{Executor, Pinned, PinnedModel, Pipeline, Progress, RunKind, RunRequest, Source},
    store::Store,
};
use serde_json::{Value, json};

/// What a call is answered with instead of an outcome.
pub enum Instead {
    Answer(Disposition),
    HostError,
    /// The alias is pointed at this version while the call runs.
    Promote(u32),
    /// The call takes so long.
    Sleep(Duration),
    /// The outcome lacks its outputs.
    Nothing,
}

/// Runs the stages, and keeps account.
#[derive(Default)]
pub struct Stages {
    store: Option<Store>,
    pub account: Arc<Account>,
}

/// What was run, and what is to happen.
#[derive(Default)]
pub struct Account {
    pub executed: Mutex<Vec<(Stage, u32)>>,
    pub script: Mutex<BTreeMap<Stage, VecDeque<Instead>>>,
    pub grants: Mutex<String>,
    /// What train says on its queue, if not two bytes.
    pub alert: Mutex<Vec<u8>>,
}

impl Account {
    /// What was run since the last time this was asked, in order of stages.
    pub fn take(&self) -> Vec<(Stage, u32)> {
        let mut executed = std::mem::take(&mut *self.executed.lock().unwrap());
        executed.sort_unstable();
        executed
    }

    fn begin(&self, call: &Call) -> Option<Instead> {
        let mut executed = self.executed.lock().unwrap();
        executed.push((call.stage, call.origin.unit));
        let mut script = self.script.lock().unwrap();
        script.get_mut(&call.stage)?.pop_front()
    }

    pub fn plan(&self, stage: Stage, instead: impl IntoIterator<Item = Instead>) {
        let mut script = self.script.lock().unwrap();
        script.entry(stage).or_default().extend(instead);
    }
}

impl Stages {
    pub fn over(store: &Store, account: &Arc<Account>) -> Arc<Self> {
        Arc::new(Self {
            store: Some(store.clone()),
            account: Arc::clone(account),
        })
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    async fn put(&self, name: &str, content: &Value) -> anyhow::Result<Artifact> {
        let bytes = serde_json::to_vec(content)?;
        Ok(Artifact {
            name: name.to_owned(),
            digest: self.store().blobs.put(&bytes).await?,
            size: bytes.len() as u64,
            media_type: "application/json".to_owned(),
        })
    }

    async fn read(&self, digest: &Digest) -> anyhow::Result<Value> {
        let bytes = self.store().blobs.get(digest, 1 << 20).await?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    async fn run(&self, call: &Call) -> anyhow::Result<Executed> {
        let parameters: Value = serde_json::from_str(&call.parameters)?;
        // What is pinned does not change what comes of the rows here.
        let pinned = |input: &&Artifact| matches!(input.name.as_str(), "schema" | "split");
        let inputs = call.inputs.iter().filter(|input| !pinned(input));
        let inputs: Vec<_> = inputs.map(|i| (&i.name, i.digest)).collect();
        let from = Digest::of(format!("{:?} {inputs:?} {}", call.stage, call.seed).as_bytes());
        let mut content = json!({ "from": from, "parameters": parameters });
        let (mut messages, mut proposals) = (vec![], vec![]);
        let names: &[&str] = match call.stage {
            Stage::Ingest => &["table", "schema"],
            Stage::Preprocess => &["train", "test", "preprocessing", "reference", "sample"],
            Stage::Train => {
                content["quality"] = parameters["quality"].clone();
                messages.push(StageMessage {
                    label: "alerts".to_owned(),
                    body: match self.account.alert.lock().unwrap().as_slice() {
                        [] => vec![0, 255],
                        alert => alert.to_vec(),
                    },
                    claim: None,
                });
                &["bundle"]
            }
            Stage::Evaluate => {
                content["pass"] = self.gate(call).await?.into();
                content["against"] = json!(call.aliases);
                &["evaluation"]
            }
            Stage::Deploy => {
                let evaluation = self.read(&call.inputs[1].digest).await?;
                let promote = evaluation["pass"] == true || parameters["promote"] == true;
                let now = call.aliases[0].version.as_ref();
                proposals.push(Proposal {
                    model: call.aliases[0].model.clone(),
                    bundle: call.inputs[0].digest,
                    summary: "{}".to_owned(),
                    change: promote.then(|| AliasChange {
                        alias: call.aliases[0].alias.clone(),
                        expected: now.map(|version| version.bundle),
                        reason: "the gate passed".to_owned(),
                    }),
                });
                &["card"]
            }
            Stage::Infer => &["predictions"],
            Stage::Monitor => {
                content["drifted"] = parameters["drifted"].clone();
                &["drift"]
            }
        };
        let mut outcome = Outcome::default();
        for name in names {
            content["name"] = (*name).into();
            outcome.outputs.push(self.put(name, &content).await?);
        }
        if call.stage == Stage::Preprocess && parameters["end"].is_u64() {
            outcome.outputs.extend(self.pins(call, &parameters).await?);
        }
        outcome.metrics.push(Metric {
            name: "inputs".to_owned(),
            value: inputs.len() as f64,
        });
        Ok(Executed {
            messages,
            proposals,
            ..answered(Disposition::Ok(outcome))
        })
    }

    /// The schema that is given, else one; and a split that grows with the `end` of the data.
    async fn pins(&self, call: &Call, parameters: &Value) -> anyhow::Result<Vec<Artifact>> {
        let given = |name: &str| call.inputs.iter().find(|input| input.name == name);
        let schema = match given("schema") {
            Some(schema) => schema.clone(),
            None => self.put("schema", &json!({ "columns": ["a"] })).await?,
        };
        let seen = match given("split") {
            Some(split) => self.read(&split.digest).await?["seen"].as_u64(),
            None => None,
        };
        let seen = seen.max(parameters["end"].as_u64());
        let split = self.put("split", &json!({ "seen": seen })).await?;
        let proposed = json!({ "columns": ["a", "b"] });
        Ok(vec![
            schema,
            split,
            self.put("proposed-schema", &proposed).await?,
        ])
    }

    async fn gate(&self, call: &Call) -> anyhow::Result<bool> {
        let candidate = self.read(&call.inputs[0].digest).await?;
        let Some(champion) = &call.aliases[0].version else {
            return Ok(true);
        };
        let champion = self.read(&champion.bundle).await?;
        Ok(candidate["quality"].as_f64() > champion["quality"].as_f64())
    }
}

pub fn answered(disposition: Disposition) -> Executed {
    Executed {
        disposition,
        messages: vec![],
        proposals: vec![],
        used: BTreeMap::from([("blob-read".to_owned(), 2)]),
        peak_memory_bytes: 1 << 20,
        seconds: 0.5,
    }
}

#[async_trait]
impl Executor for Stages {
    async fn execute(&self, call: Call, progress: Progress) -> anyhow::Result<Executed> {
        progress(1, Some(1));
        let instead = self.account.begin(&call);
        match instead {
            None => {}
            Some(Instead::Answer(disposition)) => return Ok(answered(disposition)),
            Some(Instead::HostError) => anyhow::bail!("the disk is on fire"),
            Some(Instead::Nothing) => {
                return Ok(answered(Disposition::Ok(Outcome::default())));
            }
            Some(Instead::Sleep(duration)) => tokio::time::sleep(duration).await,
            Some(Instead::Promote(version)) => {
                let registry = Pipeline::new(self.store().clone()).registry();
                registry
                    .promote("iris", "champion", version, "a person", "w")
                    .await?;
            }
        }
        self.run(&call).await
    }

    fn grants(&self, _: &Call) -> String {
        self.account.grants.lock().unwrap().clone()
    }
}

/// A run that trains a model of this quality from three parts.
pub async fn train(store: &Store, quality: f64) -> RunRequest {
    let mut sources = vec![];
    for part in 0..3 {
        let bytes = format!("a,b\n{part},2\n").into_bytes();
        sources.push(Source {
            label: format!("part{part}.csv"),
            artifact: Artifact {
                name: "source".to_owned(),
                digest: store.blobs.put(&bytes).await.unwrap(),
                size: bytes.len() as u64,
                media_type: "text/csv".to_owned(),
            },
        });
    }
    let component = |stage: &Stage| (*stage, Digest::of(stage.name().as_bytes()));
    RunRequest {
        kind: RunKind::Train,
        name: "iris".to_owned(),
        sources,
        parameters: BTreeMap::from([(Stage::Train, json!({ "quality": quality }))]),
        seed: 7,
        components: Stage::ALL.iter().map(component).collect(),
        model: None,
        transforms: vec![],
        created: "2026-01-01T00:00:00.000Z".to_owned(),
        tests: 0,
        declared: None,
        pinned: Pinned::default(),
        trace: None,
    }
}

/// A run that looks at new data with the champion.
pub async fn monitor(pipeline: &Pipeline) -> RunRequest {
    let version = pipeline.registry().resolve(&"iris".parse().unwrap()).await;
    RunRequest {
        kind: RunKind::Monitor,
        parameters: BTreeMap::new(),
        model: Some(PinnedModel {
            name: "iris".to_owned(),
            asked: "champion".to_owned(),
            version: version.unwrap().pinned,
        }),
        ..train(pipeline.store(), 0.0).await
    }
}
