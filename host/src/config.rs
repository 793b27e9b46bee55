//! Settings: the only reader of the environment and of septet.toml.
//!
//! A flag wins over septet.toml, which wins over the default. It must not open a store or a data file.

pub(crate) mod azure;
mod azure_handler;
mod canary;
mod containers;
mod external;
pub(crate) mod files;
mod http;
pub(crate) mod key;
mod registry;
mod shadow;
mod swap;
mod telemetry;
pub(crate) mod triggers;
mod trust;
mod work;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use septet::{contract::Stage, external::Externals, stage::Limits};
use serde::Deserialize;
use serde_json::Value;

use self::{
    containers::ContainerSettings,
    triggers::{FolderSettings, TimerSettings},
};
pub(crate) use azure_handler::{Host, settings_file};
pub(crate) use canary::CanarySettings;
pub(crate) use containers::rules as containers;
pub(crate) use external::{Beside, DoorSection, ExternalSection};
pub(crate) use http::HttpSection;
pub(crate) use registry::credentials;
pub(crate) use shadow::ShadowSettings;
pub(crate) use swap::SwapSettings;
pub(crate) use telemetry::TelemetrySettings;
pub(crate) use trust::TrustSettings;
pub(crate) use work::WorkSettings;

/// Largest septet.toml that is read.
const MAX_SETTINGS_BYTES: u64 = 1 << 20;

const TEMPLATE: &str = include_str!("config/septet.toml");

/// What `septet init` writes: every setting with its default or an example, as a comment.
pub(crate) fn template() -> String {
    let limits: toml::Table = toml::Table::try_from(Limits::default()).unwrap_or_default();
    let lines = Limits::NAMES
        .iter()
        .zip(Limits::MEANINGS)
        .filter_map(|(name, meaning)| {
            let value = limits.get(*name)?;
            let meaning = meaning.trim_end().replace('\n', "\n#");
            Some(format!("#{meaning}\n#~ {name} = {value}\n"))
        });
    TEMPLATE.to_owned() + &lines.collect::<String>()
}

/// The settings of septet.toml.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Folder of the store, or `azure:` and the name of a connection to a storage account.
    pub(crate) store: Option<PathBuf>,
    pub(crate) run: RunSettings,
    pub(crate) ingest: IngestSettings,
    pub(crate) preprocess: PreprocessSettings,
    pub(crate) train: TrainSettings,
    pub(crate) evaluate: EvaluateSettings,
    pub(crate) deploy: PlainSettings,
    pub(crate) infer: PlainSettings,
    pub(crate) monitor: MonitorSettings,
    pub(crate) encryption: EncryptionSettings,
    /// Folders whose files become runs.
    pub(crate) folder: Vec<FolderSettings>,
    /// Containers of a storage account whose blobs become runs.
    pub(crate) container: Vec<ContainerSettings>,
    /// Runs by the clock.
    pub(crate) timer: Vec<TimerSettings>,
    /// What is served over HTTP.
    pub(crate) http: HttpSection,
    /// Fewer capabilities for a stage than it has by default.
    pub(crate) grants: BTreeMap<Stage, Vec<String>>,
    /// Which components are taken in the place of the built-in ones.
    pub(crate) trust: TrustSettings,
    /// Components that take the place of stages'.
    pub(crate) swap: SwapSettings,
    /// How the queues are worked off.
    pub(crate) work: WorkSettings,
    /// Where external stages fetch and put artifacts.
    pub(crate) external: DoorSection,
    /// When a component that is tried is rolled back.
    pub(crate) canary: CanarySettings,
    /// What counts as the same answer of a shadow.
    pub(crate) shadow: ShadowSettings,
    /// What one call may take.
    pub(crate) limits: Limits,
    /// The folder of the file, which paths in it are meant from.
    #[serde(skip)]
    pub(crate) folder_of_file: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RunSettings {
    pub(crate) target: Option<String>,
    pub(crate) task: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IngestSettings {
    pub(crate) max_quarantine: Option<f64>,
    pub(crate) delimiter: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) schema: Option<PathBuf>,
    pub(crate) external: Option<ExternalSection>,
    pub(crate) shadow: Option<Beside>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PreprocessSettings {
    pub(crate) split: Option<String>,
    pub(crate) test_share: Option<f64>,
    pub(crate) key: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) time: Option<String>,
    pub(crate) test: Vec<PathBuf>,
    pub(crate) window: Option<String>,
    pub(crate) positive: Option<String>,
    pub(crate) weight: Option<String>,
    pub(crate) class_weight: Option<String>,
    pub(crate) drop: Vec<String>,
    pub(crate) transforms: Vec<String>,
    pub(crate) numbers: BTreeMap<String, Value>,
    pub(crate) categories: BTreeMap<String, Value>,
    pub(crate) columns: BTreeMap<String, Value>,
    pub(crate) external: Option<ExternalSection>,
    pub(crate) shadow: Option<Beside>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrainSettings {
    pub(crate) algorithm: Option<String>,
    pub(crate) metric: Option<String>,
    pub(crate) threshold: Option<f64>,
    pub(crate) folds: Option<u64>,
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) external: Option<ExternalSection>,
    pub(crate) shadow: Option<Beside>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EvaluateSettings {
    pub(crate) margin: Option<f64>,
    pub(crate) policy: Option<String>,
    pub(crate) slice: Option<String>,
    pub(crate) resamples: Option<u64>,
    pub(crate) external: Option<ExternalSection>,
    pub(crate) shadow: Option<Beside>,
}

/// A stage whose only settings say who does its work.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PlainSettings {
    pub(crate) external: Option<ExternalSection>,
    pub(crate) shadow: Option<Beside>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MonitorSettings {
    pub(crate) threshold: Option<f64>,
    pub(crate) min_rows: Option<u64>,
    pub(crate) external: Option<ExternalSection>,
    pub(crate) shadow: Option<Beside>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EncryptionSettings {
    pub(crate) key_file: Option<PathBuf>,
}

impl Settings {
    /// The settings of `file`, or of septet.toml where none is named, or the defaults.
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let path = match file {
            Some(path) => path.to_owned(),
            None if Path::new("septet.toml").is_file() => PathBuf::from("septet.toml"),
            None => return Ok(Self::default()),
        };
        let shown = path.display();
        let size = fs::metadata(&path)
            .with_context(|| format!("the settings {shown} can't be read"))?
            .len();
        if size > MAX_SETTINGS_BYTES {
            bail!("the settings {shown} have {size} bytes; at most {MAX_SETTINGS_BYTES} are read");
        }
        let text = fs::read_to_string(&path)
            .with_context(|| format!("the settings {shown} can't be read"))?;
        let mut settings: Self = parse(&text).with_context(|| format!("in {shown}"))?;
        // Paths in the file are meant from the file's own folder, wherever the command is typed.
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        settings.store = settings.store.map(|store| match azure::named(&store) {
            // No path, but the name of a connection.
            Some(_) => store,
            None => folder.join(store),
        });
        let preprocess = &mut settings.preprocess;
        for transform in &mut preprocess.transforms {
            *transform = files::transform_from(&folder, transform);
        }
        for file in &mut preprocess.test {
            *file = folder.join(&file);
        }
        let key_file = settings.encryption.key_file;
        settings.encryption.key_file = key_file.map(|file| folder.join(file));
        let key_file = settings.http.key_file;
        settings.http.key_file = key_file.map(|file| folder.join(file));
        let schema = settings.ingest.schema;
        settings.ingest.schema = schema.map(|schema| folder.join(schema));
        settings.swap.rebase(&folder);
        triggers::rebase(&mut settings.folder, &mut settings.timer, &folder);
        settings.folder_of_file = folder;
        Ok(settings)
    }

    /// The external stages, their files read now.
    pub(crate) fn externals(&self) -> anyhow::Result<Externals> {
        let sections = [
            (Stage::Ingest, &self.ingest.external),
            (Stage::Preprocess, &self.preprocess.external),
            (Stage::Train, &self.train.external),
            (Stage::Evaluate, &self.evaluate.external),
            (Stage::Deploy, &self.deploy.external),
            (Stage::Infer, &self.infer.external),
            (Stage::Monitor, &self.monitor.external),
        ];
        let sections = sections
            .into_iter()
            .filter_map(|(stage, section)| Some((stage, section.as_ref()?)));
        external::externals(sections, &self.external, &self.folder_of_file)
    }

    /// What is given copies of the calls of which stages.
    pub(crate) fn shadows(&self) -> impl Iterator<Item = (Stage, Beside)> {
        let shadows = [
            (Stage::Ingest, self.ingest.shadow),
            (Stage::Preprocess, self.preprocess.shadow),
            (Stage::Train, self.train.shadow),
            (Stage::Evaluate, self.evaluate.shadow),
            (Stage::Deploy, self.deploy.shadow),
            (Stage::Infer, self.infer.shadow),
            (Stage::Monitor, self.monitor.shadow),
        ];
        shadows
            .into_iter()
            .filter_map(|(stage, shadow)| Some((stage, shadow?)))
    }
}

/// The settings in `text`; an error is one line with the line's number.
fn parse(text: &str) -> anyhow::Result<Settings> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text
            .bytes()
            .take(start)
            .filter(|byte| *byte == b'\n')
            .count()
            + 1;
        let message = error.message().replace('\n', " ");
        anyhow::anyhow!("line {line}: {message}")
    })
}

/// The program that is running.
pub(crate) fn running() -> anyhow::Result<PathBuf> {
    env::current_exe().context("the running program can't be found: name it with --binary")
}

/// This very program, to start it once more. The system's own link leads to it also where its file
/// was replaced by a newer one meanwhile, which would not understand this one.
pub(crate) fn itself() -> anyhow::Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && link.exists() {
        return Ok(link.to_owned());
    }
    env::current_exe().context("the running program can't be found, which compiles components")
}

/// What is read of the process's environment.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// `SEPTET_STORE`.
    pub(crate) store: Option<PathBuf>,
    /// `SEPTET_STORE_KEY` and `SEPTET_STORE_KEY_FILE`.
    pub(crate) store_key: key::KeyWords,
    /// Folder for native code: `SEPTET_CACHE`, else septet in `XDG_CACHE_HOME` or `~/.cache`.
    pub(crate) cache: Option<PathBuf>,
    /// Native code that was shipped: `SEPTET_NATIVE`.
    pub(crate) native: Option<PathBuf>,
    /// Who is at work, for the alias log.
    pub(crate) user: String,
    /// How the program was called, for commands that can be copied.
    pub(crate) program: String,
    /// `SEPTET_FAILPOINT`: where a test of crashes ends the process, as `committed:3`.
    pub(crate) failpoint: Option<(String, u32)>,
}

impl Environment {
    /// Reads the environment.
    pub(crate) fn read() -> Self {
        let path = |name: &str| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let cache = path("SEPTET_CACHE").or_else(|| {
            let caches = path("XDG_CACHE_HOME")
                .filter(|folder| folder.is_absolute())
                .or_else(|| path("HOME").map(|home| home.join(".cache")));
            caches.map(|folder| folder.join("septet"))
        });
        let user = ["USER", "LOGNAME", "USERNAME"]
            .into_iter()
            .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
            .unwrap_or_else(|| "unknown".to_owned());
        let program = env::args_os().next();
        let failpoint = env::var("SEPTET_FAILPOINT").ok();
        Self {
            store: path("SEPTET_STORE"),
            store_key: key::KeyWords::read(),
            cache,
            native: path("SEPTET_NATIVE"),
            user,
            program: program.map_or("septet".into(), |name| name.to_string_lossy().into_owned()),
            failpoint: failpoint.map(|text| {
                let (place, nth) = text.split_once(':').unwrap_or((&text, "1"));
                (place.to_owned(), nth.parse().unwrap_or_default())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_read_and_changes_nothing() {
        let settings = parse(&template()).unwrap();
        assert!(settings.store.is_none());
        assert!(settings.run.target.is_none());
        assert!(settings.grants.is_empty());
        assert!(settings.folder.is_empty() && settings.timer.is_empty());
        assert!(settings.container.is_empty());
    }

    #[test]
    fn every_setting_of_the_template_is_known() {
        // The template's commented settings, with the comment signs of settings taken away.
        let active: String = template()
            .lines()
            .map(|line| line.strip_prefix("#~ ").unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n");
        let settings = parse(&active).unwrap();
        assert_eq!(settings.run.target.as_deref(), Some("sex"));
        assert_eq!(settings.preprocess.test_share, Some(0.2));
        assert_eq!(settings.limits, Limits::default());
        let bounds = settings.canary.bounds().unwrap();
        assert_eq!(bounds, septet::pipeline::Bounds::default());
        assert_eq!(triggers::folders(&settings.folder).unwrap().len(), 2);
        assert_eq!(triggers::timers(&settings.timer).unwrap().len(), 1);
        assert_eq!(containers(&settings.container).unwrap().len(), 1);
        assert!(template().contains("#~ wall_seconds = "));
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_line() {
        let error = parse("[run]\ntarget = \"y\"\ntargte = 1\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("line 3: unknown field `targte`"),
            "{error}"
        );
    }
}
