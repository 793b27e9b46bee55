//! Debian's `docker-registry`, unpacked under `target/oracles` and run on loopback: a registry as
//! people have one.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::hosts::oracles::{installed, run};

/// It is there in a moment.
const START: Duration = Duration::from_secs(30);

/// A registry with nothing in it, gone with the value.
pub(crate) struct Registry {
    process: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Registry {
    /// Starts one; none where the tool can't be had.
    pub(crate) fn start() -> Option<Self> {
        let debian = installed("docker-registry", "hosts", &["debian.txt"], unpack)?;
        let folder = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let settings = json_settings(address, &folder.path().join("layers"));
        let path = folder.path().join("config.yml");
        fs::write(&path, settings).unwrap();
        let log = folder.path().join("log");
        let output = File::create(&log).unwrap();
        let mut command = Command::new(debian.join("root/usr/bin/docker-registry"));
        command.arg("serve").arg(path);
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let mut registry = Self {
            process: command.spawn().unwrap(),
            address,
            _folder: folder,
        };
        let until = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            let ended = registry.process.try_wait().unwrap();
            let said = || fs::read_to_string(&log).unwrap();
            assert!(ended.is_none() && Instant::now() < until, "{}", said());
            thread::sleep(Duration::from_millis(10));
        }
        Some(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// YAML has all of JSON.
fn json_settings(address: SocketAddr, layers: &Path) -> String {
    serde_json::json!({
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": layers}},
        "http": {"addr": address.to_string()},
    })
    .to_string()
}

fn unpack(folder: &Path) -> Result<(), String> {
    let packages = fs::read_to_string(folder.join("debian.txt")).unwrap();
    let mut apt = Command::new("apt-get");
    run(apt
        .arg("download")
        .args(packages.lines())
        .current_dir(folder))?;
    let entries = fs::read_dir(folder).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let packages: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "deb"))
        .collect();
    for package in packages {
        let mut dpkg = Command::new("dpkg-deb");
        run(dpkg.arg("-x").arg(package).arg(folder.join("root")))?;
    }
    Ok(())
}
