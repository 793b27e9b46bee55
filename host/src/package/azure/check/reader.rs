//! Reads the files of a package, none without a bound, and notes what is not there.

use std::{
    fs::{self, File, Metadata},
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::Finding;

/// Largest text of a package: settings, JSON, Bicep.
const MOST_TEXT: u64 = 1 << 20;

/// Largest binary or component.
const MOST_BYTES: u64 = 1 << 30;

/// Deepest folder that is looked into, and the most files of a package.
const DEEPEST: usize = 8;
const MOST_FILES: usize = 10_000;

/// A package that is read, and what was found wrong.
pub(super) struct Reader<'a> {
    root: &'a Path,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(root: &'a Path) -> Self {
        Self {
            root,
            findings: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, file: impl Into<String>, what: impl Into<String>) {
        self.findings.push(Finding::new(file, what));
    }

    pub(super) fn metadata(&self, file: &str) -> Option<Metadata> {
        fs::metadata(self.root.join(file)).ok()
    }

    /// The names in a folder, in order; none where it is not there.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(folder)).into_iter().flatten();
        let mut names: Vec<String> = entries
            .flatten()
            .take(MOST_FILES)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A file's bytes; noted where it can't be read.
    pub(super) fn bytes(&mut self, file: &str) -> Option<Vec<u8>> {
        self.read(file, MOST_BYTES)
    }

    /// A file's text; noted where it can't be read.
    pub(super) fn text(&mut self, file: &str) -> Option<String> {
        let text = String::from_utf8(self.read(file, MOST_TEXT)?);
        if text.is_err() {
            self.note(file, "it is no text: write the package again");
        }
        text.ok()
    }

    /// A file's JSON; noted where it is none.
    pub(super) fn json(&mut self, file: &str) -> Option<Value> {
        let text = self.text(file)?;
        match serde_json::from_str(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.note(file, format!("it is no JSON ({error}): correct it"));
                None
            }
        }
    }

    fn read(&mut self, file: &str, most: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = File::open(self.root.join(file))
            .and_then(|opened| opened.take(most + 1).read_to_end(&mut bytes));
        match read {
            Err(error) => {
                self.note(
                    file,
                    format!("it can't be read ({error}): write the package again"),
                );
                None
            }
            Ok(_) if bytes.len() as u64 > most => {
                self.note(file, format!("it has more than {most} bytes: take it away"));
                None
            }
            Ok(_) => Some(bytes),
        }
    }

    /// All files of the package but what is too large for a text, with their path from its folder.
    /// Links are not followed: they could lead anywhere.
    pub(super) fn texts(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut open = vec![(PathBuf::new(), 0)];
        while let Some((folder, depth)) = open.pop() {
            let entries = fs::read_dir(self.root.join(&folder)).into_iter().flatten();
            for entry in entries.flatten() {
                let path = folder.join(entry.file_name());
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                if metadata.is_dir() && depth < DEEPEST {
                    open.push((path, depth + 1));
                } else if metadata.is_file()
                    && metadata.len() <= MOST_TEXT
                    && found.len() < MOST_FILES
                    && let Ok(text) = fs::read_to_string(self.root.join(&path))
                {
                    found.push((path.to_string_lossy().into_owned(), text));
                }
            }
        }
        found.sort();
        found
    }
}
