//! Processes of the binary that go on until the test is done with them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::support::septet::{Workplace, demo};

/// A folder with the demo's data, in which a server listens on a free port.
pub(super) fn place() -> Workplace {
    let place = Workplace::new();
    for name in ["penguins.csv", "penguins-2009.csv"] {
        fs::copy(demo(name), place.path(name)).unwrap();
    }
    place.write("septet.toml", "[http]\nlisten = \"127.0.0.1:0\"\n");
    place
}

/// The binary, with nothing of the person's own OpenTelemetry who runs the tests.
pub(super) fn command(place: &Workplace, arguments: &[&str], set: &[(&str, &str)]) -> Command {
    let mut command = place.command(arguments);
    for (name, _) in std::env::vars_os() {
        let own = name.to_string_lossy();
        if own.starts_with("OTEL_") || own.starts_with("APPLICATIONINSIGHTS") {
            command.env_remove(&name);
        }
    }
    command.envs(set.iter().copied());
    command
}

/// A process that is killed with the value.
pub(super) struct Working {
    pub(super) child: Child,
    /// What it said when it was ready.
    pub(super) line: String,
}

impl Working {
    pub(super) fn start(place: &Workplace, arguments: &[&str], set: &[(&str, &str)]) -> Self {
        let mut child = command(place, arguments, set)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        Self { child, line }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
