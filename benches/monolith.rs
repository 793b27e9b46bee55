//! What the script of `examples/monolith` takes, and each of the eight steps that it becomes components by.
//!
//! `cargo bench --bench monolith` (about eight minutes, and two more at first for Python's packages). It
//! needs a machine that does nothing else, and Linux, which counts a process's memory in KiB.

use std::{
    array,
    error::Error,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

mod python;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Each figure is the middle of so many; what is compiled or written once is so in one before them.
const TIMES: usize = 3;

/// Runs its arguments, and tells the seconds and the KiB of the largest process, theirs or of one that
/// they began.
const MEASURE: &str = "
import resource, subprocess, sys, time
begun = time.monotonic()
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(ended.returncode)
";

/// What a command took.
#[derive(Clone, Copy)]
struct Taken {
    seconds: f64,
    mebibytes: f64,
}

/// The example, and the Python that it needs.
struct Example {
    folder: PathBuf,
    python: PathBuf,
}

impl Example {
    fn data(&self, name: &str) -> OsString {
        self.folder.join("data").join(name).into()
    }

    /// Runs a command in a folder, and tells what it took.
    fn measure(&self, words: &[OsString], folder: &Path) -> Result<Taken> {
        let bin = self
            .python
            .parent()
            .ok_or("an interpreter is in a folder")?;
        let mut path = bin.as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new(&self.python);
        command.args(["-c", MEASURE]).args(words);
        command.current_dir(folder).env("PATH", path);
        let output = command.output()?;
        let told = String::from_utf8(output.stdout)?;
        let mut told = told.split_whitespace().map(str::parse::<f64>);
        let (Some(Ok(seconds)), Some(Ok(kibibytes)), true) =
            (told.next(), told.next(), output.status.success())
        else {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{words:?}: {said}").into());
        };
        Ok(Taken {
            seconds,
            mebibytes: kibibytes / 1024.0,
        })
    }

    /// The whole script: it trains, tests, deploys, predicts and monitors.
    fn script(&self, folder: &Path) -> Result<[Taken; 1]> {
        let mut words = vec!["python3".into(), self.folder.join("monolith.py").into()];
        words.extend(["train.csv", "test.csv", "new.csv"].map(|name| self.data(name)));
        words.push("out".into());
        Ok([self.measure(&words, folder)?])
    }

    /// The commands of a step, in a new store.
    fn step(&self, step: &str, folder: &Path) -> Result<[Taken; 3]> {
        let settings = self.folder.join(step).join("septet.toml");
        let [train, test, new] = ["train.csv", "test.csv", "new.csv"].map(|name| self.data(name));
        let septet = |words: &[OsString]| {
            let mut all: Vec<OsString> = vec![
                env!("CARGO_BIN_EXE_septet").into(),
                "--config".into(),
                settings.clone().into(),
                "--store".into(),
                ".septet".into(),
            ];
            all.extend(words.iter().cloned());
            self.measure(&all, folder)
        };
        let word = OsString::from;
        let run = [word("run"), train, word("--test"), test];
        let run = [
            &run[..],
            &["--target", "progression", "--name", "diabetes"].map(word),
        ]
        .concat();
        let named = ["--model", "diabetes"].map(word);
        let predict = [&[word("predict"), new.clone()], &named[..]].concat();
        let predict = [&predict[..], &["-o", "predictions.csv"].map(word)].concat();
        let monitor = [&[word("monitor"), new], &named[..]].concat();
        Ok([septet(&run)?, septet(&predict)?, septet(&monitor)?])
    }
}

/// What is measured, the middle of `TIMES` after one that does not count, each in a new folder.
fn middle<const N: usize>(measured: impl Fn(&Path) -> Result<[Taken; N]>) -> Result<[Taken; N]> {
    let mut all = Vec::new();
    for time in 0..=TIMES {
        let folder = tempfile::tempdir()?;
        let taken = measured(folder.path())?;
        if time > 0 {
            all.push(taken);
        }
    }
    Ok(array::from_fn(|at| {
        let each = all.iter().filter_map(|taken| taken.get(at).copied());
        let (seconds, mebibytes) = each.map(|taken| (taken.seconds, taken.mebibytes)).unzip();
        Taken {
            seconds: middle_of(seconds),
            mebibytes: middle_of(mebibytes),
        }
    }))
}

fn middle_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn main() -> Result<()> {
    let example = Example {
        folder: fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/monolith"))?,
        python: python::environment("monolith-bench", "examples/monolith/requirements.txt")?,
    };
    println!("| step | run | predict 110 rows | monitor them | in all | largest process |");
    println!("|---|---|---|---|---|---|");
    let [script] = middle(|folder| example.script(folder))?;
    let Taken { seconds, mebibytes } = script;
    println!("| the script | | | | {seconds:.2} s | {mebibytes:.0} MiB |");
    let mut steps = Vec::new();
    for entry in fs::read_dir(&example.folder)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if example.folder.join(&name).join("septet.toml").exists() {
            steps.push(name);
        }
    }
    steps.sort();
    for step in steps {
        let taken = middle(|folder| example.step(&step, folder))?;
        let [run, predict, monitor] = taken.map(|taken| taken.seconds);
        let all = run + predict + monitor;
        let largest = taken.map(|taken| taken.mebibytes);
        let largest = largest.into_iter().fold(0.0, f64::max);
        println!(
            "| {step} | {run:.2} s | {predict:.2} s | {monitor:.2} s | {all:.2} s | {largest:.0} MiB |"
        );
    }
    Ok(())
}
