//! Settings of what starts runs by itself: watched folders and timers.
//!
//! They are read with the others, and checked when somebody is to watch: a command that does not
//! must not fail for them. A folder need not be there: it may come later.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf, absolute},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail, ensure};
use glob::Pattern;
use septet::{
    pipeline::{ModelRef, RunKind, registry::check_model},
    trigger::{FolderRule, Output, Retrain, Schedule, TimerRule},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::files;

/// The most folders and the most timers: each is watched all the time.
const MOST: usize = 100;

/// The most data that a timer names.
const MOST_DATA: usize = 1000;

/// How long a file must have been at rest, at least and at most.
const SETTLE: [Duration; 2] = [Duration::from_millis(100), Duration::from_hours(1)];

/// The longest time for which a missed tick is made up for.
const CATCH_UP: Duration = Duration::from_hours(31 * 24);

/// Formats of predictions, named as their files end.
const FORMATS: [&str; 4] = ["csv", "jsonl", "parquet", "arrow"];

/// `[[folder]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FolderSettings {
    path: PathBuf,
    run: RunKind,
    model: Option<String>,
    #[serde(default)]
    part: PartOf,
    pattern: Option<String>,
    settle: Option<String>,
    output: Option<PathBuf>,
    #[serde(default)]
    options: Map<String, Value>,
    retrain: Option<RetrainSettings>,
}

/// What of a folder is a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PartOf {
    #[default]
    File,
    Folder,
}

/// `[[timer]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimerSettings {
    name: String,
    cron: String,
    timezone: Option<String>,
    run: RunKind,
    model: Option<String>,
    data: Vec<PathBuf>,
    catch_up: Option<String>,
    #[serde(default)]
    options: Map<String, Value>,
    retrain: Option<RetrainSettings>,
}

/// What is trained when monitor finds drift.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetrainSettings {
    data: Vec<PathBuf>,
    #[serde(default)]
    options: Map<String, Value>,
}

/// Means paths from `folder`.
pub(super) fn rebase(folders: &mut [FolderSettings], timers: &mut [TimerSettings], folder: &Path) {
    let retrain = |retrain: &mut Option<RetrainSettings>| {
        if let Some(retrain) = retrain {
            join(&mut retrain.data, folder);
            files::rebase(&mut retrain.options, folder);
        }
    };
    for settings in folders {
        join([&mut settings.path], folder);
        join(&mut settings.output, folder);
        files::rebase(&mut settings.options, folder);
        retrain(&mut settings.retrain);
    }
    for settings in timers {
        join(&mut settings.data, folder);
        files::rebase(&mut settings.options, folder);
        retrain(&mut settings.retrain);
    }
}

fn join<'a>(paths: impl IntoIterator<Item = &'a mut PathBuf>, folder: &Path) {
    for path in paths {
        *path = folder.join(&path);
    }
}

/// The watched folders.
pub(crate) fn folders(settings: &[FolderSettings]) -> anyhow::Result<Vec<FolderRule>> {
    ensure!(
        settings.len() <= MOST,
        "there are {} watched folders: at most {MOST} are watched",
        settings.len()
    );
    let mut rules = Vec::new();
    for (number, settings) in (1..).zip(settings) {
        let shown = settings.path.display();
        let rule = settings.rule();
        rules.push(rule.with_context(|| format!("[[folder]] {number} ({shown})"))?);
    }
    check_chains(&rules)?;
    Ok(rules)
}

/// The timers.
pub(crate) fn timers(settings: &[TimerSettings]) -> anyhow::Result<Vec<TimerRule>> {
    ensure!(
        settings.len() <= MOST,
        "there are {} timers: at most {MOST} are watched",
        settings.len()
    );
    let (mut rules, mut names) = (Vec::new(), BTreeSet::new());
    for (number, settings) in (1..).zip(settings) {
        let name = &settings.name;
        let rule = settings.rule();
        rules.push(rule.with_context(|| format!("[[timer]] {number} ({name})"))?);
        ensure!(
            names.insert(name),
            "[[timer]] {number}: there are two timers '{name}': give each a name of its own"
        );
    }
    Ok(rules)
}

/// Refuses predictions that would come to be data again, for ever, and those of two rules in one
/// folder, where one would be in the other's way. Folders may be written in several ways, with
/// links among them: what they really are is compared.
fn check_chains(rules: &[FolderRule]) -> anyhow::Result<()> {
    let mut next: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for (number, rule) in (1..).zip(rules) {
        let Some(output) = &rule.output else {
            continue;
        };
        let folder = real(&output.folder);
        if let Some(other) = all.insert(folder.clone(), number) {
            bail!(
                "[[folder]] {number}: its output {} is that of [[folder]] {other} too: give each a \
                 folder of its own",
                output.folder.display()
            );
        }
        next.entry(real(&rule.path)).or_default().insert(folder);
    }
    for start in next.keys() {
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(path) = open.pop() {
            for output in next.get(path).into_iter().flatten() {
                ensure!(
                    output != start,
                    "predictions of the watched folder {} come back into it: name another output",
                    start.display()
                );
                if seen.insert(output) {
                    open.push(output);
                }
            }
        }
    }
    Ok(())
}

/// Where a path leads: of what is there the links are followed, and what is not there yet stands
/// behind it as it is written.
fn real(path: &Path) -> PathBuf {
    for there in path.ancestors() {
        if let Ok(real) = there.canonicalize()
            && let Ok(rest) = path.strip_prefix(there)
        {
            // Joined with nothing, a path would get a slash at its end.
            return real.join(rest).components().collect();
        }
    }
    path.to_owned()
}

impl FolderSettings {
    fn rule(&self) -> anyhow::Result<FolderRule> {
        check_model_of(self.run, self.model.as_deref())?;
        let pattern = self.pattern.as_deref().map(|pattern| {
            ensure!(
                !pattern.contains('/') && !pattern.is_empty(),
                "pattern is '{pattern}': it is for the names of files in the folder itself"
            );
            Pattern::new(pattern).map_err(|error| {
                anyhow::anyhow!("pattern '{pattern}' is not a valid pattern: {error}")
            })
        });
        let settle = duration("settle", self.settle.as_deref().unwrap_or("2s"), SETTLE)?;
        let output = self.output.as_deref().map(|folder| self.output(folder));
        Ok(FolderRule {
            path: lexical(&self.path)?,
            kind: self.run,
            model: self.model.clone(),
            whole: self.part == PartOf::Folder,
            pattern: pattern.transpose()?,
            settle,
            output: output.transpose()?,
            options: self.options.clone(),
            retrain: retrain(self.run, self.retrain.as_ref())?,
        })
    }

    fn output(&self, folder: &Path) -> anyhow::Result<Output> {
        ensure!(
            self.run == RunKind::Predict,
            "output is for run = \"predict\" only"
        );
        let ending = match self.options.get("format") {
            None => "csv",
            Some(format) => {
                let known = FORMATS.into_iter().find(|name| *format == **name);
                known
                    .with_context(|| format!("format is {format}: it is {}", FORMATS.join(", ")))?
            }
        };
        Ok(Output {
            folder: lexical(folder)?,
            ending: ending.to_owned(),
        })
    }
}

impl TimerSettings {
    fn rule(&self) -> anyhow::Result<TimerRule> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        ensure!(
            (1..=64).contains(&self.name.len()) && self.name.chars().all(fits),
            "name: give 1 to 64 letters, digits, '-', '_' or '.'"
        );
        if let Some(zone) = self.timezone.as_deref().filter(|zone| *zone != "UTC") {
            bail!("timezone is '{zone}': timers run in UTC only");
        }
        ensure!(
            (1..=MOST_DATA).contains(&self.data.len()),
            "data: name 1 to {MOST_DATA} files, folders or patterns"
        );
        check_model_of(self.run, self.model.as_deref())?;
        let catch_up = self.catch_up.as_deref().unwrap_or("1h");
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis() as u64);
        Ok(TimerRule {
            name: self.name.clone(),
            schedule: Schedule::parse(&self.cron, now).context("cron")?,
            kind: self.run,
            model: self.model.clone(),
            data: self.data.clone(),
            options: self.options.clone(),
            catch_up: duration("catch_up", catch_up, [Duration::ZERO, CATCH_UP])?,
            retrain: retrain(self.run, self.retrain.as_ref())?,
        })
    }
}

fn retrain(run: RunKind, settings: Option<&RetrainSettings>) -> anyhow::Result<Option<Retrain>> {
    let Some(settings) = settings else {
        return Ok(None);
    };
    ensure!(
        run == RunKind::Monitor,
        "retrain is for run = \"monitor\" only"
    );
    ensure!(
        (1..=MOST_DATA).contains(&settings.data.len()),
        "retrain.data: name 1 to {MOST_DATA} files, folders or patterns"
    );
    Ok(Some(Retrain {
        data: settings.data.clone(),
        options: settings.options.clone(),
    }))
}

/// A training makes a model and may name it; the others need one.
pub(super) fn check_model_of(run: RunKind, model: Option<&str>) -> anyhow::Result<()> {
    match (run, model) {
        (RunKind::Train, None) => Ok(()),
        (RunKind::Train, Some(name)) => check_model(name).context("model"),
        (_, None) => bail!("a {} run needs a model: name one", run.name()),
        (_, Some(model)) => {
            let model: anyhow::Result<ModelRef> = model.parse();
            model.map(drop).context("model")
        }
    }
}

/// A path that is the same wherever the process is started. Links are left as they are: what
/// they point at may change.
fn lexical(path: &Path) -> anyhow::Result<PathBuf> {
    ensure!(!path.as_os_str().is_empty(), "a path is empty");
    let absolute = absolute(path).context("the folder of the process can't be told")?;
    let mut whole = PathBuf::new();
    for part in absolute.components() {
        match part {
            std::path::Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    Ok(whole)
}

fn duration(name: &str, text: &str, [least, most]: [Duration; 2]) -> anyhow::Result<Duration> {
    let length = humantime::parse_duration(text).map_err(|error| {
        anyhow::anyhow!("{name} is '{text}': give a length of time, as 2s or 1h ({error})")
    })?;
    ensure!(
        (least..=most).contains(&length),
        "{name} is {text}: it must be {} to {}",
        humantime::format_duration(least),
        humantime::format_duration(most)
    );
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn read(text: &str) -> anyhow::Result<(Vec<FolderRule>, Vec<TimerRule>)> {
        let mut settings: Settings = toml::from_str(text)?;
        rebase(
            &mut settings.folder,
            &mut settings.timer,
            Path::new("/etc/septet"),
        );
        Ok((folders(&settings.folder)?, timers(&settings.timer)?))
    }

    const FOLDER: &str = "[[folder]]\npath = 'in'\nrun = 'predict'\nmodel = 'm'\n";
    const TIMER: &str = "[[timer]]\nname = 't'\ncron = '0 6 * * *'\nrun = 'monitor'\nmodel = 'm'\ndata = ['d/*.csv']\n";

    #[test]
    fn paths_are_meant_from_the_file() {
        let text = format!(
            "{FOLDER}output = '../out'\noptions = {{ format = 'parquet' }}\n\
             [[folder]]\npath = '/data/./all'\nrun = 'train'\npart = 'folder'\nsettle = '5m'\n\
             options = {{ schema = 's.json', test = ['t.csv', '/u.csv'], target = 'y' }}\n\
             {TIMER}retrain = {{ data = ['all'], options = {{ transform = 'x.wasm' }} }}\n"
        );
        let (folders, timers) = read(&text).unwrap();
        assert_eq!(folders[0].path, Path::new("/etc/septet/in"));
        let output = folders[0].output.as_ref().unwrap();
        assert_eq!(output.folder, Path::new("/etc/out"));
        assert_eq!(output.ending, "parquet");
        assert_eq!(folders[0].settle, Duration::from_secs(2));
        assert_eq!(folders[1].path, Path::new("/data/all"));
        assert_eq!(folders[1].settle, Duration::from_mins(5));
        assert!(folders[1].whole && !folders[0].whole);
        assert_eq!(folders[1].options["schema"], "/etc/septet/s.json");
        let test = serde_json::json!(["/etc/septet/t.csv", "/u.csv"]);
        assert_eq!(folders[1].options["test"], test);
        assert_eq!(folders[1].options["target"], "y");
        assert_eq!(timers[0].data, [Path::new("/etc/septet/d/*.csv")]);
        let retrain = timers[0].retrain.as_ref().unwrap();
        assert_eq!(retrain.options["transform"], "/etc/septet/x.wasm");
        assert_eq!(timers[0].catch_up, Duration::from_hours(1));
    }

    #[test]
    fn what_can_not_be_is_named() {
        let folder = |more: &str| format!("{FOLDER}{more}\n");
        let timer = |more: &str| format!("{TIMER}{more}\n");
        for (text, named) in [
            (
                folder("settle = '2x'"),
                "[[folder]] 1 (/etc/septet/in): settle is '2x'",
            ),
            (
                folder("settle = '0s'"),
                "settle is 0s: it must be 100ms to 1h",
            ),
            (folder("pattern = 'a/*'"), "pattern is 'a/*'"),
            (
                folder("pattern = '***'"),
                "pattern '***' is not a valid pattern",
            ),
            (folder("output = 'in'"), "come back into it"),
            (
                folder("output = 'o'\noptions = { format = '../x' }"),
                "format is \"../x\"",
            ),
            (folder("retrain = { data = ['a'] }"), "retrain is for"),
            (FOLDER.replace("model = 'm'", ""), "needs a model"),
            (FOLDER.replace("'m'", "'../m'"), "model"),
            (folder("wait = 1"), "unknown field `wait`"),
            (timer("timezone = 'Europe/Berlin'"), "UTC only"),
            (timer("catch_up = '90d'"), "catch_up is 90d"),
            (TIMER.replace("0 6", "0 6 6"), "five fields"),
            (TIMER.replace("['d/*.csv']", "[]"), "data: name"),
            (TIMER.replace("'t'", "'a:b'"), "name: give"),
            (TIMER.repeat(2), "two timers 't'"),
            (FOLDER.repeat(101), "at most 100"),
        ] {
            let told = format!("{:#}", read(&text).unwrap_err());
            assert!(told.contains(named), "{told}");
        }
        assert!(read(&timer("timezone = 'UTC'")).is_ok());
    }

    fn watched(path: &str, output: &str) -> String {
        format!("[[folder]]\npath = '{path}'\noutput = '{output}'\nrun = 'predict'\nmodel = 'm'\n")
    }

    #[test]
    fn predictions_do_not_go_in_circles() {
        assert!(read(&(watched("a", "b") + &watched("b", "c") + &watched("a", "d"))).is_ok());
        let circle = watched("a", "b") + &watched("b", "c") + &watched("c", "./x/../a");
        let told = read(&circle).unwrap_err().to_string();
        assert!(told.contains("/etc/septet/a come back"), "{told}");
    }

    #[test]
    fn an_output_is_of_one_folder_only() {
        let told = read(&(watched("a", "c") + &watched("b", "./c"))).unwrap_err();
        let told = told.to_string();
        assert!(told.starts_with("[[folder]] 2: its output"), "{told}");
        assert!(told.contains("that of [[folder]] 1 too"), "{told}");
    }

    #[test]
    fn links_do_not_hide_what_a_folder_is() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name).display().to_string();
        std::fs::create_dir_all(at("in/sub")).unwrap();
        std::os::unix::fs::symlink(at("in"), at("link")).unwrap();
        let told = read(&watched(&at("in"), &at("link"))).unwrap_err();
        assert!(told.to_string().contains("come back into it"), "{told}");
        // Also where the last of it is still to be made.
        let both = watched(&at("link/new"), &at("x")) + &watched(&at("y"), &at("in/new"));
        assert!(read(&both).is_ok());
        let circle = both + &watched(&at("x"), &at("y"));
        let told = read(&circle).unwrap_err();
        assert!(told.to_string().contains("come back into it"), "{told}");
        assert!(read(&watched(&at("in"), &at("in/sub"))).is_ok());
    }
}
