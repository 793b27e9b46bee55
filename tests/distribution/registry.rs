//! Debian's `docker-registry` on a free port, and `skopeo`, both unpacked under `target/oracles`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    hosts::oracles::{installed, run},
    swap::minisign::unpack,
};

/// How long a registry may take to start.
const START: Duration = Duration::from_secs(30);

/// The login of a registry that asks for one.
pub(crate) const USER: &str = "ali";
pub(crate) const PASSWORD: &str = "open sesame";

/// The same as `htpasswd -B` writes it.
const HTPASSWD: &str = "ali:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";

/// A registry in a process of its own, which ends with the value.
pub(crate) struct Registry {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

fn root() -> Option<PathBuf> {
    let debian = installed("registry", "distribution", &["debian.txt"], unpack)?;
    Some(debian.join("root"))
}

impl Registry {
    /// A registry that asks for nothing; none where Debian's packages can't be had.
    pub(crate) fn open() -> Option<Self> {
        Self::start(false)
    }

    /// One that asks for user and password.
    pub(crate) fn locked() -> Option<Self> {
        Self::start(true)
    }

    fn start(locked: bool) -> Option<Self> {
        let tool = root()?.join("usr/bin/docker-registry");
        let folder = TempDir::new().unwrap();
        // Between this and the registry's own start another could take the port: then it ends, and
        // is started once more.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let path = folder.path().to_str().unwrap();
            let mut settings = format!(
                "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: \
                 {path}/data\nhttp:\n  addr: {address}\n"
            );
            if locked {
                fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
                settings.push_str("auth:\n  htpasswd:\n    realm: a\n    path: ");
                settings.push_str(path);
                settings.push_str("/htpasswd\n");
            }
            let file = folder.path().join("config.yml");
            fs::write(&file, settings).unwrap();
            let mut child = Command::new(&tool)
                .arg("serve")
                .arg(&file)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let begun = Instant::now();
            while begun.elapsed() < START && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(address).is_ok() {
                    // Nobody else listens there: the process is still alive.
                    if child.try_wait().unwrap().is_none() {
                        drain(&mut child);
                        return Some(Self {
                            child,
                            address,
                            folder,
                        });
                    }
                }
                std::thread::yield_now();
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("the registry does not start");
    }

    /// The address of a component here.
    pub(crate) fn at(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.address)
    }

    /// Where the registry keeps what it has.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what the process tells, so that it never waits for a reader.
fn drain(child: &mut Child) {
    let told = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || told.lines().for_each(drop));
}

/// Runs `skopeo`, which takes every image for good: it must succeed.
pub(crate) fn skopeo(arguments: &[&str]) {
    let root = root().unwrap();
    let libraries = fs::read_dir(root.join("usr/lib")).unwrap();
    let mut libraries: Vec<PathBuf> = libraries.map(|entry| entry.unwrap().path()).collect();
    // The mapper's library lies in /lib.
    libraries.extend(
        fs::read_dir(root.join("lib"))
            .into_iter()
            .flatten()
            .map(|e| e.unwrap().path()),
    );
    let home = TempDir::new().unwrap();
    let mut tool = Command::new(root.join("usr/bin/skopeo"));
    tool.arg("--insecure-policy")
        .args(arguments)
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap());
    run(&mut tool).unwrap();
}
