//! From what a trigger wants to a run, by the code of `septet run`, `predict` and `monitor`.
//!
//! It must not know when a run is wanted, or by whom.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use septet::{
    pipeline::{RunKind, RunRequest},
    trigger::{FolderRule, Requests, Retrain, TimerRule, Wanted, azure::ContainerRule},
};
use serde_json::{Map, Value};

use super::{
    args::{Format, Monitor, Predict, Run, options},
    data::{self, Data},
    request,
    session::{Origin, Session},
    training::Train,
};
use crate::config::{self, Settings, files, triggers};

/// Makes requests with the settings and the stages of one process.
pub(crate) struct Wants {
    origin: Arc<Origin>,
    session: Arc<Session>,
}

impl Wants {
    /// Requests with the settings of `origin` for runs in the store of `session`.
    pub(crate) const fn new(origin: Arc<Origin>, session: Arc<Session>) -> Self {
        Self { origin, session }
    }
}

/// The watched folders and the timers of the settings, with options that there are.
pub(crate) fn rules(settings: &Settings) -> anyhow::Result<(Vec<FolderRule>, Vec<TimerRule>)> {
    let folders = triggers::folders(&settings.folder)?;
    let timers = triggers::timers(&settings.timer)?;
    let known = |kind, options: &Map<String, Value>, retrain: Option<&Retrain>| {
        check(kind, options)?;
        retrain.map_or(Ok(()), |retrain| {
            check(RunKind::Train, &retrain.options).context("retrain")
        })
    };
    for (number, rule) in (1..).zip(&folders) {
        known(rule.kind, &rule.options, rule.retrain.as_ref())
            .with_context(|| format!("[[folder]] {number} ({})", rule.path.display()))?;
    }
    for (number, rule) in (1..).zip(&timers) {
        known(rule.kind, &rule.options, rule.retrain.as_ref())
            .with_context(|| format!("[[timer]] {number} ({})", rule.name))?;
    }
    Ok((folders, timers))
}

/// What becomes of blobs in containers, with options that there are.
pub(crate) fn containers(settings: &Settings) -> anyhow::Result<Vec<ContainerRule>> {
    let rules = config::containers(&settings.container)?;
    for (number, rule) in (1..).zip(&rules) {
        check(rule.kind, &rule.options)
            .with_context(|| format!("[[container]] {number} ({})", rule.container))?;
    }
    Ok(rules)
}

/// Whether all options are flags of the command.
fn check(kind: RunKind, options: &Map<String, Value>) -> anyhow::Result<()> {
    let options = options.clone();
    match kind {
        RunKind::Train => options::read::<Run>(options).map(drop),
        RunKind::Predict => options::read::<Predict>(options).map(drop),
        RunKind::Monitor => options::read::<Monitor>(options).map(drop),
    }
}

#[async_trait]
impl Requests for Wants {
    async fn request(&self, wanted: Wanted) -> anyhow::Result<RunRequest> {
        let Wanted {
            kind,
            model,
            data,
            options,
            trace,
        } = wanted;
        if data::came_in(&data) {
            refuse_files(&options)?;
        }
        let (origin, session) = (self.origin.as_ref(), self.session.as_ref());
        let request = match kind {
            RunKind::Train => {
                let mut run: Run = options::read(options)?;
                run.name = model;
                Train::of(&run, data, origin)?.request(session).await?
            }
            RunKind::Predict => {
                let mut predict: Predict = options::read(options)?;
                predict.model = named(model)?;
                let format = predict.format.unwrap_or(Format::Csv);
                let data = Data::of(data)?;
                request::predict(session, origin, &predict, format, &data).await?
            }
            RunKind::Monitor => {
                let mut monitor: Monitor = options::read(options)?;
                monitor.model = named(model)?;
                let data = Data::of(data)?;
                request::monitor(session, origin, &monitor, &data).await?
            }
        };
        Ok(RunRequest { trace, ..request })
    }
}

fn named(model: Option<String>) -> anyhow::Result<String> {
    model.context("no model: name it as NAME, NAME@ALIAS or NAME@VERSION")
}

/// Who sends data over the network may not read this machine's files.
fn refuse_files(options: &Map<String, Value>) -> anyhow::Result<()> {
    match files::naming_one(options) {
        Some(name) => bail!(
            "the option {name} names a file of the server: only septet.toml may, data that are sent \
             may not"
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::Parser as _;
    use septet::{
        contract::{Artifact, Stage},
        store::Mode,
        trigger::Part,
    };
    use serde_json::json;

    use super::super::args::{Cli, Command};
    use super::*;
    use crate::config::Environment;

    fn block_on(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(work);
    }

    struct Here {
        folder: tempfile::TempDir,
        wants: Wants,
    }

    impl Here {
        async fn new() -> Self {
            let folder = tempfile::TempDir::new().unwrap();
            let store = folder.path().join("store");
            let arguments = ["septet", "grants", "--store", store.to_str().unwrap()];
            let origin = Origin {
                traces: Arc::new(septet::pipeline::Untraced),
                global: Cli::parse_from(arguments).global,
                settings: Settings::default(),
                environment: Environment::default(),
            };
            let session = origin.session(Mode::Create).await.unwrap();
            let wants = Wants::new(Arc::new(origin), Arc::new(session));
            std::fs::write(folder.path().join("a.csv"), "x,y\n1,2\n").unwrap();
            Self { folder, wants }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("a.csv")
        }

        async fn stored(&self) -> Part {
            let blobs = &self.wants.session.pipeline.store().blobs;
            let bytes = std::fs::read(self.file()).unwrap();
            Part::Stored {
                label: "a.csv".to_owned(),
                artifact: Artifact {
                    name: "source".to_owned(),
                    digest: blobs.put(&bytes).await.unwrap(),
                    size: bytes.len() as u64,
                    media_type: "text/csv".to_owned(),
                },
            }
        }

        async fn ask(&self, data: Vec<Part>, options: Value) -> Result<RunRequest, String> {
            let wanted = Wanted {
                kind: RunKind::Train,
                model: None,
                data,
                options: serde_json::from_value(options).unwrap(),
                trace: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
            };
            let request = self.wants.request(wanted).await;
            request.map_err(|error| format!("{error:#}"))
        }
    }

    /// The flags of a command line as `septet run` reads them.
    async fn typed(here: &Here, flags: &[&str]) -> RunRequest {
        let file = here.file();
        let mut arguments = vec!["septet", "run", file.to_str().unwrap()];
        arguments.extend(flags);
        let Command::Run(run) = Cli::parse_from(arguments).command else {
            panic!("it is a run")
        };
        let (origin, session) = (&here.wants.origin, &here.wants.session);
        let train = Train::of(&run, data::parts(&run.data), origin).unwrap();
        train.request(session).await.unwrap()
    }

    #[test]
    fn options_and_flags_are_the_same_run() {
        block_on(async {
            let here = Here::new().await;
            let options = json!({
                "target": "y", "param": {"alpha": 0.5}, "seed": 9, "promote": true, "drop": ["x"],
                "preprocess": {"numbers": {"scale": "robust"}}, "policy": "none",
            });
            let flags = [
                "--target=y",
                "--param=alpha=0.5",
                "--seed=9",
                "--promote",
                "--drop=x",
                "--preprocess=numbers.scale=robust",
                "--policy=none",
            ];
            let typed = typed(&here, &flags).await;
            let watched = here.ask(vec![Part::Path(here.file())], options.clone());
            let watched = watched.await.unwrap();
            assert_eq!(
                watched.trace.as_deref(),
                Some("0af7651916cd43dd8448eb211c80319c")
            );
            let same = |request: &RunRequest| RunRequest {
                created: String::new(),
                trace: None,
                sources: Vec::new(),
                ..request.clone()
            };
            assert_eq!(same(&watched), same(&typed));
            assert_eq!(watched.sources, typed.sources);
            // Data of the store are the same run but for what they are called.
            let sent = here.ask(vec![here.stored().await], options).await.unwrap();
            assert_eq!(same(&sent), same(&typed));
            assert_eq!(sent.sources[0].artifact, typed.sources[0].artifact);
            assert_eq!(sent.sources[0].label, "a.csv");
            assert_eq!(sent.name, "a");
            assert!(typed.parameters[&Stage::Deploy]["promote"] == true);
        });
    }

    #[test]
    fn options_of_the_settings_are_known_before_anything_is_watched() {
        let rules = |text: &str| {
            let settings: Settings = toml::from_str(text).unwrap();
            rules(&settings).map_err(|error| format!("{error:#}"))
        };
        let folder =
            |options: &str| format!("[[folder]]\npath='in'\nrun='train'\noptions={{{options}}}\n");
        let (folders, _) = rules(&folder("target='y',seed=3")).unwrap();
        assert_eq!(folders[0].options["seed"], 3);
        let told = rules(&folder("targte='y'")).unwrap_err();
        assert!(told.starts_with("[[folder]] 1 ("), "{told}");
        assert!(told.contains("unknown option `targte`"), "{told}");
        let told = rules(
            "[[timer]]\nname='t'\ncron='0 0 * * *'\nrun='monitor'\nmodel='m'\ndata=['d']\n\
             retrain={data=['d'],options={seed='x'}}\n",
        );
        let told = told.unwrap_err();
        assert!(
            told.contains("[[timer]] 1 (t): retrain: the option seed"),
            "{told}"
        );
    }

    #[test]
    fn what_was_sent_names_no_file_of_the_server() {
        block_on(async {
            let here = Here::new().await;
            for name in ["schema", "test", "transform"] {
                let mut options = json!({"target": "y"});
                options[name] = json!(Path::new("/etc/hostname"));
                let told = here.ask(vec![here.stored().await], options).await;
                let told = told.unwrap_err();
                assert!(told.contains(&format!("the option {name} names")), "{told}");
            }
            let told = here.ask(vec![here.stored().await], json!({"tagret": "y"}));
            assert!(told.await.unwrap_err().contains("unknown option `tagret`"));
            let told = here.ask(vec![here.stored().await], json!({}));
            assert!(told.await.unwrap_err().contains("no target"));
        });
    }

    #[test]
    fn a_model_is_named_and_known() {
        block_on(async {
            let here = Here::new().await;
            for kind in [RunKind::Predict, RunKind::Monitor] {
                for (model, named) in [(None, "no model"), (Some("nobody"), "nobody")] {
                    let wanted = Wanted {
                        kind,
                        model: model.map(str::to_owned),
                        data: vec![here.stored().await],
                        options: Map::new(),
                        trace: None,
                    };
                    let told = here.wants.request(wanted).await.unwrap_err().to_string();
                    assert!(told.contains(named), "{told}");
                }
            }
        });
    }
}
