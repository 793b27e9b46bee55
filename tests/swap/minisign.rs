//! Debian's `minisign`, unpacked under `target/oracles`, so that signatures are those that people
//! make.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::hosts::oracles::{installed, run};

/// A pair of keys, in a folder of its own.
pub(crate) struct Signer {
    tool: PathBuf,
    libraries: PathBuf,
    folder: TempDir,
}

impl Signer {
    /// A new pair of keys; none where the tool can't be had.
    pub(crate) fn new() -> Option<Self> {
        let debian = installed("minisign", "swap", &["debian.txt"], unpack)?;
        let libraries = fs::read_dir(debian.join("root/usr/lib")).unwrap();
        let libraries = libraries.map(|entry| entry.unwrap().path());
        let signer = Self {
            tool: debian.join("root/usr/bin/minisign"),
            libraries: libraries.into_iter().next().unwrap(),
            folder: TempDir::new().unwrap(),
        };
        signer.minisign(&["-G", "-W", "-p", "key.pub", "-s", "key.sec"]);
        Some(signer)
    }

    /// The public key as septet.toml takes it.
    pub(crate) fn key(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("key.pub")).unwrap();
        text.lines().nth(1).unwrap().to_owned()
    }

    /// Signs a file: its `.minisig` lies beside it then. The text of that is returned.
    pub(crate) fn sign(&self, file: &Path, legacy: bool, comment: &str) -> String {
        let file = file.to_str().unwrap();
        let mut arguments = vec!["-S", "-W", "-s", "key.sec", "-t", comment, "-m", file];
        arguments.extend(legacy.then_some("-l"));
        self.minisign(&arguments);
        fs::read_to_string(format!("{file}.minisig")).unwrap()
    }

    fn minisign(&self, arguments: &[&str]) {
        let mut tool = Command::new(&self.tool);
        tool.args(arguments)
            .current_dir(self.folder.path())
            .env("LD_LIBRARY_PATH", &self.libraries);
        run(&mut tool).unwrap();
    }
}

/// Unpacks Debian's packages that `debian.txt` names into the folder `root`.
pub(crate) fn unpack(folder: &Path) -> Result<(), String> {
    let packages = fs::read_to_string(folder.join("debian.txt")).unwrap();
    let mut apt = Command::new("apt-get");
    run(apt
        .arg("download")
        .args(packages.lines())
        .current_dir(folder))?;
    for entry in fs::read_dir(folder).unwrap() {
        let package = entry.unwrap().path();
        if package.extension().is_some_and(|ending| ending == "deb") {
            let mut dpkg = Command::new("dpkg-deb");
            run(dpkg.arg("-x").arg(&package).arg(folder.join("root")))?;
        }
    }
    Ok(())
}
