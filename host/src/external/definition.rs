//! What an external stage is, by the settings, and the digest that stands for it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::Serialize;
use url::Url;
use zeroize::Zeroizing;

use super::{
    door::{Door, Doorway},
    http,
};
use crate::{
    capability::clean,
    contract::{Digest, Stage},
    store::{Store, check_queue},
};

/// Files of one external stage.
const MAX_FILES: usize = 1000;

/// Bytes of all of them: they are kept in memory, so that what runs is what was digested.
const MAX_BYTES: u64 = 64 << 20;

/// How a definition begins, so that one is told from a component.
pub(crate) const BEGINS: &[u8] = b"{\"external\":";

/// How an external stage is called.
#[derive(Clone, Debug)]
pub enum Way {
    /// A program of this machine, in a fresh folder.
    Command {
        /// Program and arguments.
        command: Vec<String>,
        /// Where `files` and a program with a path are meant from.
        folder: PathBuf,
        /// Files, and patterns of files, that are copied into the fresh folder.
        files: Vec<String>,
        /// The whole environment of the process.
        environment: BTreeMap<String, OsString>,
    },
    /// A function that is asked by HTTP.
    Http {
        /// Where.
        url: Url,
        /// What goes along, which lets us in.
        headers: Headers,
    },
    /// Whoever reads a queue of the store.
    Queue {
        /// Its name.
        queue: String,
    },
}

/// Headers that go along with each request; no log shows them.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(HeaderName, HeaderValue)>);

impl Headers {
    /// The header `name` with a key; for `authorization` it is a bearer's token.
    pub fn with_key(name: &str, key: &str) -> anyhow::Result<Self> {
        let header: HeaderName = name
            .parse()
            .with_context(|| format!("external.header '{name}' is no name of a header"))?;
        let text = Zeroizing::new(if header == AUTHORIZATION {
            format!("Bearer {key}")
        } else {
            key.to_owned()
        });
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| anyhow::anyhow!("the file of external.key_file holds no key"))?;
        value.set_sensitive(true);
        Ok(Self(vec![(header, value)]))
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

/// A file that a command is given.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is put, below the fresh folder.
    pub path: PathBuf,
    /// Its bytes when the settings were read.
    pub bytes: Vec<u8>,
    /// Whether it may be run.
    pub executable: bool,
}

/// An external stage.
#[derive(Clone, Debug)]
pub struct External {
    stage: Stage,
    way: Way,
    files: Vec<File>,
    reusable: bool,
    definition: String,
    identity: Digest,
}

/// The canonical text: whatever changes it makes another stage of it, whose work is not reused.
#[derive(Serialize)]
struct Definition<'a> {
    external: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

impl External {
    /// The external stage, with its files read now. `version` says that what is outside was changed.
    pub fn new(stage: Stage, way: Way, version: Option<&str>) -> anyhow::Result<Self> {
        let files = match &way {
            Way::Command {
                command,
                folder,
                files,
                ..
            } => {
                ensure!(
                    command.first().is_some_and(|program| !program.is_empty()),
                    "external.command names no program: write [\"python3\", \"{stage}.py\"]"
                );
                read(folder, files)?
            }
            Way::Http { url, .. } => {
                let plain = url.scheme() == "http" && !http::is_loopback(url);
                ensure!(
                    url.scheme() == "https" || url.scheme() == "http" && !plain,
                    "external.http must be https: (http: only on this machine)"
                );
                ensure!(
                    url.username().is_empty() && url.password().is_none(),
                    "external.http holds a name or password: put a key into the file of key_file"
                );
                Vec::new()
            }
            Way::Queue { queue } => {
                check_queue(queue).context("external.queue")?;
                let taken = queue.parse::<Stage>().is_ok()
                    || queue.ends_with("-poison")
                    || queue.ends_with("-outcomes");
                ensure!(
                    !taken,
                    "external.queue '{queue}' is one of Septet's own: choose another name"
                );
                Vec::new()
            }
        };
        let digests = files
            .iter()
            .map(|file| (file.path.display().to_string(), Digest::of(&file.bytes)));
        let definition = Definition {
            external: stage,
            command: match &way {
                Way::Command { command, .. } => Some(command),
                Way::Http { .. } | Way::Queue { .. } => None,
            },
            environment: match &way {
                Way::Command { environment, .. } => {
                    Some(environment.keys().map(String::as_str).collect())
                }
                Way::Http { .. } | Way::Queue { .. } => None,
            },
            files: digests.collect(),
            http: match &way {
                Way::Http { url, .. } => Some(shown(url)),
                Way::Command { .. } | Way::Queue { .. } => None,
            },
            queue: match &way {
                Way::Queue { queue } => Some(queue),
                Way::Command { .. } | Way::Http { .. } => None,
            },
            version,
        };
        // By hand and not by RFC 8785, which sorts `external` behind `command`: it must begin with it.
        let definition = serde_json::to_string(&definition)?;
        Ok(Self {
            stage,
            reusable: version.is_some() || !files.is_empty(),
            way,
            files,
            identity: Digest::of(definition.as_bytes()),
            definition,
        })
    }

    /// Which stage.
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// How it is called.
    pub const fn way(&self) -> &Way {
        &self.way
    }

    /// What is copied into the folder of a command.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Whether its work may be reused: only where its files or a version say what it was.
    pub const fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// The text whose digest it is known by.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// What stands for it where a component's digest does.
    pub const fn identity(&self) -> Digest {
        self.identity
    }

    /// What it is, for people.
    pub fn shown(&self) -> String {
        match &self.way {
            Way::Command { command, .. } => clean(&command.join(" "), 200),
            Way::Http { url, .. } => clean(&shown(url), 200),
            Way::Queue { queue } => format!("queue {queue}"),
        }
    }
}

/// An address without its query, which may hold a key.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// The external stages of a process, by what stands for them. A clone is the same.
#[derive(Clone, Default)]
pub struct Externals {
    all: Arc<BTreeMap<Digest, External>>,
    door: Arc<Door>,
    store: Option<Store>,
}

impl Externals {
    /// These, of which no stage has two. Their artifacts are fetched and put at `doorway`.
    pub fn new(all: impl IntoIterator<Item = External>, doorway: Doorway) -> Self {
        let all = all.into_iter().map(|one| (one.identity, one)).collect();
        Self {
            all: Arc::new(all),
            door: Arc::new(Door::new(doorway)),
            store: None,
        }
    }

    /// The same, with the store whose queues they are asked through.
    #[must_use]
    pub fn over(self, store: &Store) -> Self {
        Self {
            store: Some(store.clone()),
            ..self
        }
    }

    /// The one with this digest.
    pub fn get(&self, identity: &Digest) -> Option<&External> {
        self.all.get(identity)
    }

    /// The one of a stage.
    pub fn of(&self, stage: Stage) -> Option<&External> {
        self.all.values().find(|external| external.stage == stage)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &External> {
        self.all.values()
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    pub(super) const fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }
}

/// The files that are meant, in order of their paths.
fn read(folder: &Path, wanted: &[String]) -> anyhow::Result<Vec<File>> {
    let mut found: BTreeMap<PathBuf, File> = BTreeMap::new();
    let mut left = MAX_BYTES;
    for wanted in wanted {
        let relative = Path::new(wanted);
        let below = relative
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        ensure!(
            below && !wanted.is_empty(),
            "external.files '{wanted}' must be below the folder that it is meant from: set external.folder"
        );
        let pattern = folder.join(relative);
        let escaped = glob::Pattern::escape(&folder.display().to_string());
        let paths: Vec<PathBuf> = if pattern.is_file() {
            vec![pattern]
        } else {
            let text = format!("{escaped}/{wanted}");
            let all = glob::glob(&text)
                .with_context(|| format!("external.files '{wanted}' is no pattern"))?;
            let mut files = Vec::new();
            for path in all.take(MAX_FILES * 10) {
                let path = path.with_context(|| format!("external.files '{wanted}'"))?;
                if path.is_file() {
                    files.push(path);
                }
            }
            files
        };
        if paths.is_empty() {
            bail!(
                "external.files: there is no '{wanted}' in {}",
                folder.display()
            );
        }
        for path in paths {
            let place = path.strip_prefix(folder).unwrap_or(&path).to_owned();
            ensure!(
                found.len() < MAX_FILES,
                "external.files are more than {MAX_FILES}"
            );
            let file = one(&path, &place, left)?;
            left = left.saturating_sub(file.bytes.len() as u64);
            found.insert(place, file);
        }
    }
    Ok(found.into_values().collect())
}

fn one(path: &Path, place: &Path, left: u64) -> anyhow::Result<File> {
    use std::{io::Read as _, os::unix::fs::PermissionsExt as _};
    let shown = path.display();
    let unreadable = || format!("external.files: {shown} can't be read");
    let file = std::fs::File::open(path).with_context(unreadable)?;
    let metadata = file.metadata().with_context(unreadable)?;
    let mut bytes = Vec::new();
    file.take(left + 1)
        .read_to_end(&mut bytes)
        .with_context(unreadable)?;
    ensure!(
        bytes.len() as u64 <= left,
        "external.files have more than {MAX_BYTES} bytes, with {shown}: leave data out"
    );
    Ok(File {
        path: place.to_owned(),
        bytes,
        executable: metadata.permissions().mode() & 0o111 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(folder: &Path, files: &[&str]) -> anyhow::Result<External> {
        let way = Way::Command {
            command: vec!["python3".to_owned(), "train.py".to_owned()],
            folder: folder.to_owned(),
            files: files.iter().map(|&file| file.to_owned()).collect(),
            environment: BTreeMap::new(),
        };
        External::new(Stage::Train, way, None)
    }

    #[test]
    fn its_digest_is_of_what_its_files_hold() {
        let folder = tempfile::TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("train.py", "1");
        write("lib/a.py", "2");
        write("lib/b.txt", "3");
        let all = ["train.py", "lib/*.py"];
        let first = command(folder.path(), &all).unwrap();
        let paths: Vec<_> = first.files().iter().map(|file| &file.path).collect();
        assert_eq!(paths, [Path::new("lib/a.py"), Path::new("train.py")]);
        assert!(first.definition().as_bytes().starts_with(BEGINS));
        assert!(first.is_reusable());
        assert_eq!(
            command(folder.path(), &all).unwrap().identity(),
            first.identity()
        );
        write("lib/b.txt", "4");
        assert_eq!(
            command(folder.path(), &all).unwrap().identity(),
            first.identity()
        );
        write("lib/a.py", "5");
        assert_ne!(
            command(folder.path(), &all).unwrap().identity(),
            first.identity()
        );
        assert!(!command(folder.path(), &[]).unwrap().is_reusable());
    }

    #[test]
    fn wrong_files_are_named() {
        let folder = tempfile::TempDir::new().unwrap();
        for (file, why) in [
            ("train.py", "there is no 'train.py'"),
            ("../train.py", "set external.folder"),
            ("/etc/passwd", "set external.folder"),
            ("[", "no pattern"),
            ("", "must be below"),
        ] {
            let error = format!("{:#}", command(folder.path(), &[file]).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }
}
