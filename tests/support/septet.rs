//! The real binary, run in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder in which commands are run, gone with the value.
pub(crate) struct Workplace {
    folder: TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The command must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(
            self.code,
            Some(0),
            "stderr: {}\nstdout: {}",
            self.stderr,
            self.stdout
        );
        self
    }

    /// The JSON object on standard output of a command that succeeded.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let ran = self.ok();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }

    /// The command must have failed with one clear line on standard error, which is returned.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert!(
            matches!(self.code, Some(code) if code != 0),
            "it was not refused: {self:?}"
        );
        let line = self.stderr.trim_end();
        assert!(!line.is_empty(), "nothing was said: {self:?}");
        assert_eq!(
            line.lines().count(),
            1,
            "more than one line: {}",
            self.stderr
        );
        assert!(line.starts_with("septet: "), "{line}");
        for unwanted in [
            "panicked",
            "backtrace",
            "wasm backtrace",
            "RUST_BACKTRACE",
            "Error {",
        ] {
            assert!(!line.contains(unwanted), "{line}");
        }
        assert!(self.stdout.is_empty(), "half an answer: {}", self.stdout);
        line.to_owned()
    }
}

impl Workplace {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    /// Where a file of this name is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs the binary here.
    pub(crate) fn septet(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// The binary, ready to run here: no settings and no store of the person who runs the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("SEPTET_STORE")
            .env_remove("SEPTET_STORE_KEY")
            .env_remove("SEPTET_STORE_KEY_FILE")
            .env(
                "SEPTET_CACHE",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
            )
            .env("NO_COLOR", "1");
        command
    }
}

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_septet"))
}

/// A file of the demo's data.
pub(crate) fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("demo")
        .join(name)
}
