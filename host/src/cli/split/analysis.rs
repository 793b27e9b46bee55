//! The analysis of a script in a process of its own: started, bounded, and read.
//!
//! It must not run anything of the script, nor believe that the analysis ends.

use std::{
    io::{ErrorKind, Read, Write as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use septet::contract::Stage;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes of a script at most: a longer one is data, or generated.
pub(super) const MAX_SCRIPT: u64 = 1 << 20;
/// Bytes that the analysis may answer.
const MAX_ANSWER: u64 = 8 << 20;
/// Bytes of what it says on standard error.
const MAX_ERRORS: u64 = 64 << 10;
/// How long it may take.
const LONGEST: Duration = Duration::from_secs(30);
/// How often it is looked after.
const PAUSE: Duration = Duration::from_millis(10);

/// Reads the analysis from standard input, and leaves the script there for it.
const LOADER: &str = "import sys
if sys.version_info < (3, 9): sys.exit('it is Python %d.%d' % sys.version_info[:2])
exec(compile(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())), 'septet split', 'exec'))";

const ANALYSIS: &str = concat!(
    include_str!("known.py"),
    include_str!("begin.py"),
    include_str!("analyse.py"),
    include_str!("calls.py"),
    include_str!("main.py"),
);

/// What a script does.
#[derive(Debug, Deserialize)]
pub(super) struct Analysis {
    pub(super) lines: u64,
    pub(super) events: Vec<Event>,
    pub(super) flows: Vec<Flow>,
    pub(super) files: Vec<File>,
    pub(super) columns: Vec<Column>,
    pub(super) estimators: Vec<Estimator>,
    pub(super) split: Option<Cut>,
    pub(super) target: Option<Named>,
    pub(super) imputes: Vec<Imputed>,
    pub(super) drops: Vec<Named>,
    pub(super) dummies: Option<u64>,
    pub(super) unplaced: Vec<Unplaced>,
    /// Lines that are no Python.
    pub(super) aside: Vec<u64>,
    pub(super) imports: Vec<Import>,
}

/// A statement that does something of a stage.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Event {
    pub(super) stage: Stage,
    pub(super) step: String,
    pub(super) line: u64,
    pub(super) end: u64,
    pub(super) what: String,
    /// The function that it is in.
    pub(super) within: Option<Function>,
}

/// A function of the script.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: u64,
    pub(super) end: u64,
    /// Whether it does the work of one stage, and calls none that does another's.
    pub(super) alone: bool,
}

/// Names of the script that one stage makes and another uses.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Flow {
    pub(super) from: Stage,
    pub(super) to: Stage,
    pub(super) names: Vec<String>,
}

/// A file that is read or written.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct File {
    #[serde(rename = "file")]
    pub(super) name: String,
    pub(super) mode: String,
    pub(super) stage: Stage,
    pub(super) line: u64,
}

/// A column, and where it is named.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) stages: Vec<Stage>,
}

/// An estimator that is made.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Estimator {
    #[serde(rename = "class")]
    pub(super) class: String,
    pub(super) line: u64,
    pub(super) role: String,
    /// Those whose values stand in the script.
    pub(super) parameters: serde_json::Map<String, Value>,
    pub(super) columns: Option<Vec<String>>,
    /// `numbers` or `categories`, where the script says it.
    pub(super) group: Option<String>,
    /// Parameters whose values don't.
    pub(super) unknown: Vec<String>,
}

/// How rows are split.
#[derive(Debug, Deserialize)]
pub(super) struct Cut {
    pub(super) kind: String,
    pub(super) size: Option<f64>,
    pub(super) line: u64,
    pub(super) by: String,
}

/// A column, and the line that says so.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) column: String,
    pub(super) line: u64,
}

/// Missing values of a column, or of all, that are filled.
#[derive(Debug, Deserialize)]
pub(super) struct Imputed {
    pub(super) column: Option<String>,
    pub(super) how: String,
    pub(super) value: Value,
    pub(super) line: u64,
}

/// What no stage was found for.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Unplaced {
    pub(super) line: u64,
    pub(super) end: u64,
    pub(super) text: String,
    pub(super) why: String,
}

/// What is imported.
#[derive(Debug, Deserialize)]
pub(super) struct Import {
    pub(super) module: String,
}

/// What the program answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Refused { error: String },
    Found(Box<Analysis>),
}

/// What the script does, by `python`; `shown` is what the script is called.
pub(super) fn analyse(python: &Path, source: &[u8], shown: &str) -> anyhow::Result<Analysis> {
    let (ended, answer, errors) = run(python, source, shown)?;
    if !ended.success() {
        return Err(fault(python, shown, ended, &errors));
    }
    let answer = serde_json::from_slice(&answer)
        .with_context(|| format!("{shown}: the analysis gave no answer that can be read"))?;
    match answer {
        Answer::Refused { error } => bail!("{shown}: {error}"),
        Answer::Found(found) => Ok(*found),
    }
}

fn run(
    python: &Path,
    source: &[u8],
    shown: &str,
) -> anyhow::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let mut child = start(python)?;
    let input = [
        format!("{}\n", ANALYSIS.len()).as_bytes(),
        ANALYSIS.as_bytes(),
        source,
    ]
    .concat();
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
        bail!("{} can't be spoken to", python.display());
    };
    thread::scope(|scope| {
        // One that ended early does not read on: its end says why.
        scope.spawn(move || stdin.write_all(&input).ok());
        let answer = scope.spawn(move || bounded(stdout, MAX_ANSWER));
        let errors = scope.spawn(move || bounded(stderr, MAX_ERRORS));
        let ended = wait(&mut child).with_context(|| format!("{shown} can't be taken apart"));
        let read = |thread: thread::ScopedJoinHandle<'_, _>| {
            let read: std::io::Result<Vec<u8>> = thread
                .join()
                .map_err(|_| anyhow!("its answer can't be read"))?;
            read.context("its answer can't be read")
        };
        let (answer, errors) = (read(answer), read(errors));
        Ok((ended?, answer?, errors?))
    })
}

fn start(python: &Path) -> anyhow::Result<Child> {
    // Isolated: neither the environment, nor the folder, nor installed packages have a say in it.
    let started = Command::new(python)
        .args(["-I", "-S", "-c", LOADER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    started.map_err(|error| {
        let shown = python.display();
        if error.kind() == ErrorKind::NotFound {
            anyhow!("there is no {shown} here, which takes scripts apart: install Python 3.9 or later, or name one with --python PATH")
        } else {
            anyhow!("{shown} can't be started: {error}")
        }
    })
}

/// What is said, to its end; of more than `most` bytes only the first are kept.
fn bounded(mut pipe: impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.by_ref().take(most).read_to_end(&mut bytes)?;
    std::io::copy(&mut pipe, &mut std::io::sink())?;
    Ok(bytes)
}

/// Waits for the end, and brings it about where it does not come.
fn wait(child: &mut Child) -> anyhow::Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(ended) = child.try_wait()? {
            return Ok(ended);
        }
        if began.elapsed() > LONGEST {
            child.kill().and_then(|()| child.wait()).ok();
            bail!("it took longer than {} seconds", LONGEST.as_secs());
        }
        thread::sleep(PAUSE);
    }
}

/// Why the analysis itself came to nothing.
fn fault(python: &Path, shown: &str, ended: ExitStatus, errors: &[u8]) -> anyhow::Error {
    if ended.code().is_none() {
        return anyhow!(
            "{shown}: {} ended while it read it ({ended}): it is nested too deeply, or needs too much memory",
            python.display()
        );
    }
    let errors = String::from_utf8_lossy(errors);
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    anyhow!(
        "{} can't take {shown} apart, which needs Python 3.9 or later: {}",
        python.display(),
        last.unwrap_or("it said nothing").trim()
    )
}

/// The script's bytes, bounded.
pub(super) fn read(script: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = script.display();
    let file = std::fs::File::open(script).with_context(|| format!("{shown} can't be read"))?;
    let about = file
        .metadata()
        .with_context(|| format!("{shown} can't be read"))?;
    ensure!(
        !about.is_dir(),
        "{shown} is a folder: name a script of Python"
    );
    let mut bytes = Vec::new();
    file.take(MAX_SCRIPT + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{shown} can't be read"))?;
    ensure!(
        bytes.len() as u64 <= MAX_SCRIPT,
        "{shown} has over {} KiB: that is more than a script has",
        MAX_SCRIPT >> 10
    );
    Ok(bytes)
}
