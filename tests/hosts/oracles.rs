//! The foreign tools that results are compared with: a Python environment and Node packages in
//! pinned versions, installed under `target/oracles` on first use.
//!
//! A machine that cannot reach the registries runs the other tests; what was left out is said on
//! standard error. Anything else that goes wrong fails the test that asked.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// What clients say when there is no network or no such registry.
const OUT_OF_REACH: [&str; 12] = [
    "Could not find a version",
    "ConnectTimeout",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ENOTFOUND",
    "ETIMEDOUT",
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Temporary failure resolving",
    "Unable to locate package",
    "No such file or directory (os error 2)",
];

/// The interpreter that has the pinned packages; none where Python's registry is out of reach.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            installed("python", "hosts", &["requirements.txt"], venv)
                .map(|folder| folder.join("bin/python"))
        })
        .as_deref()
}

/// The interpreter that has what `examples/python-host` says that it needs, and nothing else; none
/// where Python's registry is out of reach.
pub(crate) fn python_host() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let source = "../examples/python-host";
            let folder = installed("python-host", source, &["requirements.txt"], venv);
            folder.map(|folder| folder.join("bin/python"))
        })
        .as_deref()
}

/// The folder whose `node_modules` has what `examples/node-host` says that it needs, with that
/// example's own files beside it; none where npm's registry is out of reach.
pub(crate) fn node() -> Option<&'static Path> {
    static NODE: OnceLock<Option<PathBuf>> = OnceLock::new();
    NODE.get_or_init(|| {
        let (source, pins) = (
            "../examples/node-host",
            ["package.json", "package-lock.json"],
        );
        let folder = installed("node", source, &pins, npm)?;
        // A module finds packages beside itself: the example runs from a copy. It is renamed into
        // its place, for another suite may be reading the one that is there.
        for name in ["septet_host.mjs", "run.mjs"] {
            let copy = folder.join(format!("{name}.{}", std::process::id()));
            fs::copy(workspace().join("examples/node-host").join(name), &copy).unwrap();
            fs::rename(copy, folder.join(name)).unwrap();
        }
        Some(folder)
    })
    .as_deref()
}

/// Installs what `package.json` and its lock file say.
pub(crate) fn npm(folder: &Path) -> Result<(), String> {
    // Not `npm ci`: it refuses a lock file that lacks optional packages which were never
    // published for some platforms. What is in the lock file is what is installed.
    run(Command::new("npm").current_dir(folder).args([
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]))
}

/// Makes a Python environment with what `requirements.txt` says.
pub(crate) fn venv(folder: &Path) -> Result<(), String> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    run(Command::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "-r"])
        .arg(folder.join("requirements.txt")))
}

/// A folder of the oracles, made anew when one of `pins`, files of the folder `source` of the tests,
/// has changed.
///
/// The last file written says what is installed, so that an interrupted install is done again; a
/// lock keeps two suites apart.
pub(crate) fn installed(
    name: &str,
    source: &str,
    pins: &[&str],
    install: impl Fn(&Path) -> Result<(), String>,
) -> Option<PathBuf> {
    let oracles = target().join("oracles");
    fs::create_dir_all(&oracles).unwrap();
    let lock = File::create(oracles.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();

    let folder = oracles.join(name);
    let done = folder.join("installed");
    let sources = workspace().join("tests").join(source);
    let wanted: String = pins
        .iter()
        .map(|pin| fs::read_to_string(sources.join(pin)).unwrap())
        .collect();
    if fs::read_to_string(&done).is_ok_and(|had| had == wanted) {
        return Some(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    for pin in pins {
        fs::copy(sources.join(pin), folder.join(pin)).unwrap();
    }
    match install(&folder) {
        Ok(()) => {
            fs::write(done, wanted).unwrap();
            Some(folder)
        }
        Err(message) if OUT_OF_REACH.iter().any(|sign| message.contains(sign)) => {
            // Not `eprintln!`, which the test harness keeps to itself.
            let mut stderr = std::io::stderr().lock();
            writeln!(
                stderr,
                "SKIPPED: all that needs {name}, which can't be installed here"
            )
            .unwrap();
            None
        }
        Err(message) => panic!("{name}: {message}"),
    }
}

/// Runs a tool; what it told is the error.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].concat();
    Err(format!(
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&told)
    ))
}

/// The workspace's root.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Cargo's target folder.
pub(crate) fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}
