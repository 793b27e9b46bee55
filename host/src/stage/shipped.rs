//! Native code that is shipped with a package: written on the machine that builds it, for any
//! processor of its kind, and read where it was unpacked.
//!
//! A component takes seconds to compile, and a process that is started for one message has none.
//! What is wrong with a shipped file means compiling, as with the cache of `native`; unlike that
//! cache the folder is never written to here, because a package is often mounted to be read only.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use wasmtime::{Engine, component::Component};

use super::{
    ended::plain,
    engine::{Trust, baseline, baseline_target},
    native::engine_key,
};
use crate::contract::Digest;

/// The list of what a folder holds.
const MANIFEST: &str = "manifest.json";

/// A list of more bytes is not read.
const LARGEST_MANIFEST: u64 = 256 << 10;

/// More files than any package has.
const MOST: usize = 256;

/// More than any component in the limits compiles to.
const LARGEST: u64 = 2 << 30;

/// How the list is written.
const FORMAT: u32 = 1;

/// A component to be compiled for a package.
#[derive(Clone, Copy, Debug)]
pub struct ToShip<'a> {
    /// The file's name without its ending: letters, digits, `-` and `_`.
    pub name: &'a str,
    /// The component.
    pub bytes: &'a [u8],
    /// Whether it is one of those that are embedded in the program that will load it. Code for
    /// others is compiled so that it can be interrupted wherever it is.
    pub embedded: bool,
}

/// `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    /// The kind of machine that the code is for.
    target: String,
    files: Vec<Listed>,
}

/// One file of native code.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    file: String,
    /// Of the component that it was compiled from.
    component: Digest,
    embedded: bool,
    /// What the code depends on, as `engine_key` says it: for people who compare packages.
    engine: String,
    size: u64,
    sha256: Digest,
}

/// Compiles `components` for the least processor of this machine's kind and writes the native code
/// and the list of it into `folder`, which is made where it is missing. So code that was compiled
/// on a new machine runs on an old one. Gives the names of the files that were written.
pub fn precompile(components: &[ToShip<'_>], folder: &Path) -> anyhow::Result<Vec<String>> {
    ensure!(
        components.len() <= MOST,
        "{} components are too many for one package: at most {MOST}",
        components.len()
    );
    let shown = folder.display();
    fs::create_dir_all(folder).with_context(|| format!("{shown} can't be made"))?;
    let mut files = Vec::new();
    for component in components {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name = component.name;
        ensure!(
            !name.is_empty() && name.len() <= 64 && name.chars().all(named),
            "'{}' can't be the name of a file of native code",
            name.escape_debug()
        );
        let trust = trust(component.embedded);
        let engine = baseline(trust).context("the WebAssembly compiler can't be started")?;
        let code = engine
            .precompile_component(component.bytes)
            .map_err(plain)
            .with_context(|| format!("{name} can't be compiled"))?;
        let file = format!("{name}.cwasm");
        let path = folder.join(&file);
        fs::write(&path, &code).with_context(|| format!("{} can't be written", path.display()))?;
        files.push(Listed {
            file,
            component: Digest::of(component.bytes),
            embedded: component.embedded,
            engine: engine_key(&engine),
            size: code.len() as u64,
            sha256: Digest::of(&code),
        });
    }
    let names = files.iter().map(|listed| listed.file.clone()).collect();
    let manifest = Manifest {
        format: FORMAT,
        target: baseline_target(),
        files,
    };
    let mut text = serde_json::to_vec_pretty(&manifest)?;
    text.push(b'\n');
    let path = folder.join(MANIFEST);
    fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))?;
    Ok(names)
}

const fn trust(embedded: bool) -> Trust {
    if embedded {
        Trust::Trusted
    } else {
        Trust::Guarded
    }
}

/// The native code of a package.
#[derive(Clone, Debug)]
pub struct Shipped {
    folder: PathBuf,
    files: BTreeMap<(Digest, Trust), Listed>,
}

impl Shipped {
    /// The native code that the list in `folder` names. Nothing of it is read yet.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(MANIFEST);
        let shown = path.display();
        let read = || -> io::Result<Vec<u8>> {
            let mut text = Vec::new();
            let file = File::open(&path)?;
            file.take(LARGEST_MANIFEST + 1).read_to_end(&mut text)?;
            Ok(text)
        };
        let text = read().with_context(|| format!("{shown} can't be read"))?;
        ensure!(
            text.len() as u64 <= LARGEST_MANIFEST,
            "{shown} has more than {LARGEST_MANIFEST} bytes"
        );
        let manifest: Manifest = serde_json::from_slice(&text)
            .with_context(|| format!("{shown} is no list of native code"))?;
        ensure!(
            manifest.format == FORMAT && manifest.files.len() <= MOST,
            "{shown} is no list that this septet knows: make the package again with it"
        );
        let mut files = BTreeMap::new();
        for listed in manifest.files {
            // A name, and no way to another folder.
            ensure!(
                Path::new(&listed.file).file_name() == Some(listed.file.as_ref()),
                "{shown}: '{}' is no name of a file",
                listed.file.escape_debug()
            );
            files.insert((listed.component, trust(listed.embedded)), listed);
        }
        Ok(Self {
            folder: folder.to_owned(),
            files,
        })
    }

    /// The component's native code, if it is there, right, and for this machine.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest, trust: Trust) -> Option<Component> {
        let listed = self.files.get(&(*digest, trust))?;
        match self.try_load(engine, listed) {
            Ok(component) => Some(component),
            Err(error) => {
                let path = self.folder.join(&listed.file);
                let path = path.display();
                tracing::warn!("{path} is not used, its component is compiled here: {error:#}");
                None
            }
        }
    }

    fn try_load(&self, engine: &Engine, listed: &Listed) -> anyhow::Result<Component> {
        ensure!(
            listed.size <= LARGEST,
            "the list says {} bytes",
            listed.size
        );
        let file = File::open(self.folder.join(&listed.file))?;
        let mut code = Vec::with_capacity(usize::try_from(listed.size)?);
        file.take(listed.size + 1).read_to_end(&mut code)?;
        ensure!(
            code.len() as u64 == listed.size && Digest::of(&code) == listed.sha256,
            "it is not the file that was packed"
        );
        // SAFETY: `deserialize` runs what it is given. The folder is named by the environment of
        // this process or lies in the app's own package, beside the program and the file that says
        // which program to start. Whoever can write there, or set the environment, decides
        // already what is run, and gains nothing here. That is why neither owner nor mode is
        // asked for, which in a mounted package say nothing. The sha-256 of the list guards
        // against accidents (a file cut short, two packages mixed), not against that person;
        // wasmtime itself refuses code of another version of itself, of other settings, or for
        // a processor with more than this one has.
        let component = unsafe { Component::deserialize(engine, &code) };
        component.map_err(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{engine::Engines, limits::Limits};

    /// A component with code in it, so that flags of a processor matter.
    const TEXT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn shipped() -> (tempfile::TempDir, Digest, Engines) {
        let folder = tempfile::tempdir().unwrap();
        let ship = |name, embedded| ToShip {
            name,
            bytes: TEXT,
            embedded,
        };
        let names = precompile(&[ship("a", true), ship("b", false)], folder.path()).unwrap();
        assert_eq!(names, ["a.cwasm", "b.cwasm"]);
        let engines = Engines::new(&Limits::default()).unwrap();
        (folder, Digest::of(TEXT), engines)
    }

    #[test]
    fn code_for_the_least_processor_is_loaded_by_the_engines_of_this_one() {
        let (folder, digest, engines) = shipped();
        let shipped = Shipped::open(folder.path()).unwrap();
        for trust in [Trust::Guarded, Trust::Trusted] {
            assert!(shipped.load(engines.of(trust), &digest, trust).is_some());
            // Code of one engine is not taken for the other's.
            let other = match trust {
                Trust::Guarded => Trust::Trusted,
                Trust::Trusted => Trust::Guarded,
            };
            assert!(shipped.load(engines.of(other), &digest, trust).is_none());
        }
        let other = Digest::of(b"other");
        let engine = engines.of(Trust::Trusted);
        assert!(shipped.load(engine, &other, Trust::Trusted).is_none());
    }

    #[test]
    fn what_was_not_packed_is_not_run() {
        let (folder, digest, engines) = shipped();
        let (path, engine) = (folder.path().join("a.cwasm"), engines.of(Trust::Trusted));
        let shipped = Shipped::open(folder.path()).unwrap();
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        for bytes in [bad.as_slice(), &good[..good.len() - 1], b""] {
            fs::write(&path, bytes).unwrap();
            assert!(shipped.load(engine, &digest, Trust::Trusted).is_none());
        }
        fs::remove_file(&path).unwrap();
        assert!(shipped.load(engine, &digest, Trust::Trusted).is_none());
    }

    #[test]
    fn a_wrong_list_is_named() {
        let (folder, ..) = shipped();
        let path = folder.path().join(MANIFEST);
        let good = fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("\"format\": 1", "\"format\": 2"),
            ("a.cwasm", "../a.cwasm"),
            ("\"target\"", "\"tarket\""),
            ("{", "["),
        ] {
            fs::write(&path, good.replacen(from, to, 1)).unwrap();
            let told = format!("{:#}", Shipped::open(folder.path()).unwrap_err());
            assert!(told.contains(MANIFEST), "{told}");
        }
        fs::write(&path, vec![b' '; LARGEST_MANIFEST as usize + 1]).unwrap();
        assert!(Shipped::open(folder.path()).is_err());
        fs::remove_file(&path).unwrap();
        assert!(Shipped::open(folder.path()).is_err());
    }

    #[test]
    fn a_file_has_a_plain_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "../x", "a/b", "a.b"] {
            let ship = ToShip {
                name,
                bytes: TEXT,
                embedded: true,
            };
            assert!(precompile(&[ship], folder.path()).is_err(), "{name}");
        }
        let ship = ToShip {
            name: "x",
            bytes: b"no component",
            embedded: true,
        };
        let told = precompile(&[ship], folder.path()).unwrap_err().to_string();
        assert!(told.contains("x can't be compiled"), "{told}");
    }
}
