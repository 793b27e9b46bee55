//! The data of a run: files that were typed or watched, or bytes that are in the store already.
//!
//! Both become the parts of one data set by the same code; what is in them is not looked at.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use septet::{pipeline::Source, trigger::Part};

use super::{dataset, request, session::Session};

/// The parts of one data set, in order.
#[derive(Debug)]
pub(crate) enum Data {
    /// Files, which are read when the run is created.
    Files {
        /// As somebody named them: files, patterns, folders.
        typed: Vec<PathBuf>,
        /// What that means.
        files: Vec<PathBuf>,
    },
    /// Bytes of the store.
    Stored(Vec<Source>),
}

/// What was typed, as the parts that a trigger names.
pub(crate) fn parts(typed: &[PathBuf]) -> Vec<Part> {
    typed.iter().cloned().map(Part::Path).collect()
}

/// Whether any of it came into the store by somebody else than the owner of this process, who
/// may name the files of this machine.
pub(crate) fn came_in(parts: &[Part]) -> bool {
    let stored = |part: &Part| matches!(part, Part::Stored { .. });
    parts.iter().any(stored)
}

impl Data {
    /// Finds the files that are meant; nothing is opened but to look whether they can be.
    pub(crate) fn of(parts: Vec<Part>) -> anyhow::Result<Self> {
        let (mut typed, mut stored) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::Path(path) => typed.push(path),
                Part::Stored { label, artifact } => stored.push(Source { label, artifact }),
            }
        }
        ensure!(
            !typed.is_empty() || !stored.is_empty(),
            "a run needs data: name a file"
        );
        if stored.is_empty() {
            let files = dataset::files(&typed)?;
            return Ok(Self::Files { typed, files });
        }
        if !typed.is_empty() {
            bail!("the data are files of this machine and parts of the store: they can't be both");
        }
        Ok(Self::Stored(stored))
    }

    /// What was typed.
    pub(crate) fn typed(typed: &[PathBuf]) -> anyhow::Result<Self> {
        Self::of(parts(typed))
    }

    /// The data without the files that hold the test rows.
    pub(crate) fn without(self, tests: &[PathBuf]) -> anyhow::Result<Self> {
        match self {
            Self::Files { typed, files } if !tests.is_empty() => Ok(Self::Files {
                files: dataset::without(files, tests)?,
                typed,
            }),
            other => Ok(other),
        }
    }

    /// What a model is called that nobody named.
    pub(crate) fn name(&self) -> String {
        let path = match self {
            Self::Files { typed, files } => dataset::name_of(typed, files),
            Self::Stored(sources) => {
                let first = sources.first();
                first.map_or(Path::new(""), |source| Path::new(&source.label))
            }
        };
        request::model_name(path)
    }

    /// The parts, with their bytes in the store.
    pub(crate) async fn sources(&self, session: &Session) -> anyhow::Result<Vec<Source>> {
        match self {
            Self::Files { files, .. } => request::sources(session, files).await,
            Self::Stored(sources) => Ok(sources.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use septet::contract::{Artifact, Digest};

    use super::*;

    fn stored(label: &str) -> Part {
        Part::Stored {
            label: label.to_owned(),
            artifact: Artifact {
                name: "source".to_owned(),
                digest: Digest::of(b"a\n1\n"),
                size: 4,
                media_type: "text/csv".to_owned(),
            },
        }
    }

    #[test]
    fn data_are_files_or_stored_and_never_both() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("days.csv");
        std::fs::write(&file, "a\n1\n").unwrap();
        let typed = parts(&[file]);
        assert!(!came_in(&typed));
        assert_eq!(Data::of(typed.clone()).unwrap().name(), "days");
        let sent = vec![stored("new rows.csv"), stored("b.csv")];
        assert!(came_in(&sent));
        let data = Data::of(sent).unwrap();
        assert_eq!(data.name(), "new-rows");
        // A file of the server's settings takes nothing away from it.
        assert!(data.without(&[folder.path().join("t.csv")]).is_ok());
        let told = |parts| Data::of(parts).unwrap_err().to_string();
        let mixed = typed.into_iter().chain([stored("c.csv")]).collect();
        assert!(told(mixed).contains("can't be both"));
        assert!(told(vec![]).contains("needs data"));
    }
}
