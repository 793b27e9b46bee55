//! Faults of the disk and of the clock in a process of the real binary, on and off while it runs.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::support::guests::workspace;

/// What a disk can do, numbered as in `faults.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Full = 1,
    ReadOnly = 2,
    Sync = 3,
    FullForBlobs = 4,
}

/// The faults of the processes that were started with them.
pub(crate) struct Faults {
    library: &'static Path,
    control: PathBuf,
    file: File,
    folder: PathBuf,
}

/// Places in the control file, as in `faults.c`.
const FAULT: u64 = 0;
const AFTER: u64 = 8;
const HITS: u64 = 16;
const CLOCK: u64 = 24;
const LOADED: u64 = 32;

impl Faults {
    /// Faults of files below `folder`, none as yet; nothing where there is no C compiler or no
    /// `LD_PRELOAD`, which is said.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let library = library()?;
        let parent = folder.parent().unwrap().canonicalize().unwrap();
        let folder = parent.join(folder.file_name().unwrap());
        let control = folder.with_extension("control");
        fs::write(&control, [0; 40]).unwrap();
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).open(&control).unwrap();
        Some(Self {
            library,
            control,
            file,
            folder,
        })
    }

    /// The command, with these faults.
    pub(crate) fn with(&self, mut command: Command) -> Command {
        command
            .env("LD_PRELOAD", self.library)
            .env("FAULTS_CONTROL", &self.control)
            .env("FAULTS_FOLDER", &self.folder);
        command
    }

    /// Lets the disk fail after so many calls that the fault is about.
    pub(crate) fn begin(&self, fault: Fault, after: i64) {
        self.set(HITS, 0);
        self.set(AFTER, after);
        self.set(FAULT, fault as i64);
    }

    /// Heals the disk.
    pub(crate) fn end(&self) {
        self.set(FAULT, 0);
    }

    /// How many calls failed since the fault was begun.
    pub(crate) fn hits(&self) -> i64 {
        self.get(HITS)
    }

    /// Sets the time of day, so many hours from the true one.
    pub(crate) fn set_clock(&self, hours: i64) {
        self.set(CLOCK, hours * 3600);
    }

    /// Whether a process was started with these faults.
    pub(crate) fn is_loaded(&self) -> bool {
        self.get(LOADED) != 0
    }

    fn set(&self, place: u64, value: i64) {
        let bytes = value.to_ne_bytes();
        self.file.write_all_at(&bytes, place).unwrap();
    }

    fn get(&self, place: u64) -> i64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, place).unwrap();
        i64::from_ne_bytes(bytes)
    }
}

/// The library that fails for others, compiled once.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    LIBRARY.get_or_init(compile).as_deref()
}

fn compile() -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(made).unwrap();
    let library = made.join(format!("faults-{}.so", std::process::id()));
    let source = workspace().join("tests/fixtures/faults/faults.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
    compiler.arg(&library).arg(source).arg("-ldl");
    let why = match compiler.output() {
        _ if !cfg!(all(target_os = "linux", target_env = "gnu")) => "a glibc that can be preloaded",
        Err(_) => "a C compiler (cc)",
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "faults.c: {told}");
            return Some(library);
        }
    };
    // Not `eprintln!`, which the test harness keeps to itself.
    let mut stderr = std::io::stderr().lock();
    writeln!(
        stderr,
        "SKIPPED: faults of disk and clock, which need {why}"
    )
    .unwrap();
    None
}
