//! The real Spin, where it is installed: named by `SEPTET_TEST_SPIN`, or `spin` on the `PATH`.
//!
//! A machine without it runs the other tests; that these were left out is said on standard error.

use std::{
    env,
    fs::{self, File},
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::serve::client::{Client, Reply};

/// Spin compiles every component of an app before it answers.
const START: Duration = Duration::from_mins(3);

/// The time between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// The program; none where it is not installed.
pub(crate) fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM
        .get_or_init(|| {
            let named = env::var_os("SEPTET_TEST_SPIN").map(PathBuf::from);
            if let Some(named) = &named {
                assert!(named.is_file(), "SEPTET_TEST_SPIN: {}", named.display());
            }
            let path = env::var_os("PATH").unwrap_or_default();
            let found = env::split_paths(&path)
                .map(|folder| folder.join("spin"))
                .find(|program| program.is_file());
            let program = named.or(found);
            if program.is_none() {
                // Not `eprintln!`, which the test harness keeps to itself.
                let mut stderr = std::io::stderr().lock();
                let what = "SKIPPED: all that needs spin, which is neither on the PATH nor named by SEPTET_TEST_SPIN";
                writeln!(stderr, "{what}").unwrap();
            }
            program
        })
        .as_deref()
}

/// A folder with a manifest and what it names, in which Spin's commands are run.
pub(crate) struct Project {
    program: &'static Path,
    folder: PathBuf,
}

impl Project {
    /// A project in this folder, which must outlive it; none where Spin is not installed.
    pub(crate) fn new(folder: &Path, manifest: &str) -> Option<Self> {
        let program = program()?;
        let folder = folder.join("project");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("spin.toml"), manifest).unwrap();
        Some(Self { program, folder })
    }

    /// Where a file of the project is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command of Spin's here, with nothing of the person who runs the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            // Plugins, templates, sign-ins and the cache of what registries gave.
            .env("SPIN_DATA_DIR", self.path("data"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("DO_NOT_TRACK", "1")
            // Who kills it must not wait for minutes.
            .env("SPIN_VARIABLE_LEASE", "10")
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Starts an app from `from`, a manifest or a reference, with `state` as its store's folder.
    pub(crate) fn up(&self, from: &str, state: &Path, more: &[&str]) -> App {
        // Between here and Spin another process may take the port; then Spin says so and ends.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let log = self.path(&format!("up-{}.log", address.port()));
        let output = File::create(&log).unwrap();
        let mut command = self.command(&["up", "--quiet", "--from", from]);
        command
            .args(["--listen", &address.to_string()])
            .arg("--state-dir")
            .arg(state)
            .args(more)
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let mut app = App {
            process: command.spawn().unwrap(),
            address,
            log,
        };
        app.wait_until_it_answers();
        app
    }
}

/// An application that answers, on Spin or where its interfaces are.
pub(crate) trait Asked {
    /// Where.
    fn address(&self) -> SocketAddr;

    /// What it wrote.
    fn log(&self) -> String;

    /// Asks it.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        whole(Client(self.address()).send(method, path, headers, body))
    }

    /// What is at a path.
    fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    /// Sends JSON.
    fn post(&self, path: &str, body: &Value) -> Reply {
        let json = [("content-type", "application/json")];
        self.send("POST", path, &json, body.to_string().as_bytes())
    }

    /// Stores bytes.
    fn put(&self, path: &str, media_type: &str, bytes: &[u8]) -> Reply {
        self.send("PUT", path, &[("content-type", media_type)], bytes)
    }

    /// Asks again until `done` finds what it waits for in the answer.
    #[track_caller]
    fn until(&self, path: &str, most: Duration, done: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + most;
        loop {
            let told = self.get(path).json(200);
            if done(&told) {
                return told;
            }
            assert!(Instant::now() < until, "{path}: {told}\n{}", self.log());
            thread::sleep(LOOK);
        }
    }
}

impl Asked for App {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

/// `spin up`, ended with all its processes when the value goes.
pub(crate) struct App {
    process: Child,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl App {
    fn wait_until_it_answers(&mut self) {
        let until = Instant::now() + START;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("spin up ended, {status}: {}", self.log());
            }
            assert!(Instant::now() < until, "spin up: {}", self.log());
            thread::sleep(LOOK);
        }
    }

    /// Sends JSON and does not wait for an answer: it is given up with the value.
    pub(crate) fn begin(&self, path: &str, body: &Value) -> TcpStream {
        let body = body.to_string();
        let client = Client(self.address);
        let headers = [("content-type", "application/json")];
        let request = client.request("POST", path, &headers, body.as_bytes());
        let mut stream = client.connect();
        stream.write_all(&request).unwrap();
        stream
    }

    /// Ends it as a power cut would: the command, and the trigger that it started.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // The group has the command's number: Spin runs a process for each trigger.
        let group = format!("-{}", self.process.id());
        let _ended = Command::new("kill")
            .args(["-s", "KILL", "--", &group])
            .status();
        let _ended = self.process.wait();
    }
}

/// Spin sends a body in pieces where its component did not say how long it is.
fn whole(mut reply: Reply) -> Reply {
    if reply.header("transfer-encoding") != Some("chunked") {
        return reply;
    }
    let mut rest = std::mem::take(&mut reply.body).into_iter();
    loop {
        let line: Vec<u8> = rest.by_ref().take_while(|byte| *byte != b'\n').collect();
        let line = String::from_utf8(line).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        if size == 0 {
            return reply;
        }
        reply.body.extend(rest.by_ref().take(size));
        assert!(rest.by_ref().take(2).eq(*b"\r\n"));
    }
}
