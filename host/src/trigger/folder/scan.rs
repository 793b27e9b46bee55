//! What is in a watched folder, and what its files hold. Other programs write there at any time,
//! and so nothing may be believed for longer than it is looked at, and nothing may be waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, Metadata},
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use glob::Pattern;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use crate::contract::{Digest, ENDINGS};

/// The most files that are watched in one folder: as many as a data set has parts.
const MAX_FILES: usize = 10_000;

/// The most entries of any kind that are looked at in one folder.
const MAX_ENTRIES: usize = 100_000;

/// The longest path of a file: what a part may be called.
const MAX_PATH: usize = 4096;

/// Endings of files that somebody is still writing.
const UNFINISHED: [&str; 3] = [".part", ".tmp", "~"];

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: (i64, i64),
    inode: (u64, u64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            inode: (metadata.dev(), metadata.ino()),
        }
    }
}

/// A look at a folder.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The files that may be taken, by name.
    pub(super) files: BTreeMap<String, Stamp>,
    /// What may not be, and why.
    pub(super) refused: Vec<String>,
}

/// Looks at the files right in a folder whose names fit the pattern, or end as data do.
pub(super) fn scan(folder: &Path, pattern: Option<&Pattern>) -> anyhow::Result<Scan> {
    let shown = folder.display();
    let failed = || format!("the folder {shown} can't be read");
    let real = fs::canonicalize(folder).with_context(failed)?;
    let mut scan = Scan::default();
    let (mut entries, mut found) = (0, Vec::new());
    for entry in fs::read_dir(&real).with_context(failed)? {
        let name = entry.with_context(failed)?.file_name();
        entries += 1;
        ensure!(
            entries <= MAX_ENTRIES,
            "the folder {shown} has more than {MAX_ENTRIES} entries: nothing of it is taken until \
             there are fewer"
        );
        let Some(name) = name.to_str() else {
            let name = name.display();
            scan.refuse(format!(
                "{shown}: the name of {name} is no UTF-8: rename it"
            ));
            continue;
        };
        if !fits(name, pattern) {
            continue;
        }
        ensure!(
            found.len() < MAX_FILES,
            "the folder {shown} has more than {MAX_FILES} files: nothing of it is taken until \
             there are fewer"
        );
        match look(&real, name) {
            Ok(Some((stamp, target))) => {
                let link = target != real.join(name);
                found.push((link, name.to_owned(), stamp, target));
            }
            Ok(None) => {}
            Err(why) => scan.refuse(format!("{}: {why:#}", folder.join(name).display())),
        }
    }
    // A link beside its target is the same part, and so is a second one to it.
    found.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut taken = BTreeSet::new();
    for (_, name, stamp, target) in found {
        if taken.insert(target) {
            scan.files.insert(name, stamp);
        }
    }
    Ok(scan)
}

impl Scan {
    fn refuse(&mut self, why: String) {
        if self.refused.len() < MAX_FILES {
            self.refused.push(why);
        }
    }
}

/// Whether a name is one of a finished file of data.
fn fits(name: &str, pattern: Option<&Pattern>) -> bool {
    if name.starts_with('.') || UNFINISHED.iter().any(|ending| name.ends_with(ending)) {
        return false;
    }
    if let Some(pattern) = pattern {
        return pattern.matches(name);
    }
    let ending = Path::new(name).extension().and_then(|e| e.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str())
}

/// The stamp of a file and where it really is; none of what has gone since, or is a folder.
fn look(folder: &Path, name: &str) -> anyhow::Result<Option<(Stamp, PathBuf)>> {
    let path = folder.join(name);
    ensure!(
        path.as_os_str().len() <= MAX_PATH,
        "its name is too long: at most {MAX_PATH} bytes with the folder's"
    );
    let real = match fs::canonicalize(&path) {
        // A link to what is not there yet may be there soon.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.context("it can't be read")?,
    };
    ensure!(
        real.starts_with(folder),
        "it is a link out of the folder: such are not followed"
    );
    let metadata = fs::metadata(&real).context("it can't be read")?;
    if metadata.is_dir() {
        return Ok(None);
    }
    ensure!(
        metadata.is_file(),
        "it is no ordinary file: such are not opened"
    );
    Ok(Some((Stamp::of(&metadata), real)))
}

/// The digest of a file that has not changed since it was seen, nor while it is read.
pub(super) fn digest(path: &Path, seen: &Stamp) -> anyhow::Result<Option<Digest>> {
    let shown = path.display();
    let failed = || format!("{shown} can't be read");
    let mut options = File::options();
    // What was a file may be a pipe by now, and to open one may take for ever.
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let mut file = options.read(true).open(path).with_context(failed)?;
    let metadata = file.metadata().with_context(failed)?;
    if !metadata.is_file() {
        bail!("{shown} is no ordinary file: such are not opened");
    }
    if Stamp::of(&metadata) != *seen {
        return Ok(None);
    }
    let (mut hasher, mut piece, mut size) = (Sha256::new(), vec![0; PIECE], 0);
    loop {
        let read = file.read(&mut piece).with_context(failed)?;
        size += read as u64;
        // One that grows is not read to an end that never comes.
        if size > seen.size {
            return Ok(None);
        }
        if read == 0 {
            break;
        }
        hasher.update(piece.get(..read).unwrap_or_default());
    }
    let after = fs::metadata(path).with_context(failed)?;
    let same = Stamp::of(&after) == *seen;
    Ok(same.then(|| Digest::from_bytes(hasher.finalize().into())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(scan: &Scan) -> Vec<&str> {
        scan.files.keys().map(String::as_str).collect()
    }

    #[test]
    fn only_finished_files_of_data_are_seen() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path();
        for name in [
            "b.csv",
            "a.PARQUET",
            "c.csv.part",
            "d.tmp",
            "e.csv~",
            ".f.csv",
            "g.txt",
            "h",
        ] {
            fs::write(path.join(name), "a\n1\n").unwrap();
        }
        fs::create_dir(path.join("folder.csv")).unwrap();
        let seen = scan(path, None).unwrap();
        assert_eq!(names(&seen), ["a.PARQUET", "b.csv"]);
        assert!(seen.refused.is_empty());
        let pattern = Pattern::new("[gh]*").unwrap();
        assert_eq!(names(&scan(path, Some(&pattern)).unwrap()), ["g.txt", "h"]);
        // A pattern does not bring back what is unfinished.
        let all = scan(path, Some(&Pattern::new("*").unwrap())).unwrap();
        assert_eq!(names(&all), ["a.PARQUET", "b.csv", "g.txt", "h"]);
        assert!(scan(&path.join("none"), None).is_err());
    }

    #[test]
    fn pipes_and_links_out_are_refused_and_never_opened() {
        let folder = tempfile::TempDir::new().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out.csv"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "secret\n").unwrap();
        fs::write(inside.join("a.csv"), "a\n1\n").unwrap();
        symlink("a.csv", inside.join("again.csv")).unwrap();
        symlink(&outside, inside.join("link.csv")).unwrap();
        symlink("nowhere", inside.join("dangling.csv")).unwrap();
        symlink("loop.csv", inside.join("loop.csv")).unwrap();
        let pipe = inside.join("pipe.csv");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let seen = scan(&inside, None).unwrap();
        assert_eq!(names(&seen), ["a.csv"]);
        let refused = seen.refused.join("\n");
        for (name, why) in [
            ("link.csv", "link out"),
            ("pipe.csv", "no ordinary file"),
            ("loop.csv", "can't be read"),
        ] {
            let told = |line: &&str| line.contains(name) && line.contains(why);
            assert!(refused.lines().any(|line| told(&line)), "{refused}");
        }
        // One that became a pipe in between is not waited for.
        let stamp = seen.files.values().next().unwrap();
        assert!(digest(&pipe, stamp).is_err());
    }

    #[test]
    fn a_file_that_changed_has_no_digest() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "a\n1\n").unwrap();
        let stamp = scan(folder.path(), None).unwrap().files["a.csv"];
        let whole = digest(&path, &stamp).unwrap();
        assert_eq!(whole, Some(Digest::of(b"a\n1\n")));
        fs::write(&path, "a\n1\n2\n").unwrap();
        assert_eq!(digest(&path, &stamp).unwrap(), None);
        fs::remove_file(&path).unwrap();
        assert!(digest(&path, &stamp).is_err());
    }

    #[test]
    fn a_folder_with_too_many_files_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        for number in 0..=MAX_FILES {
            File::create(folder.path().join(format!("{number}.csv"))).unwrap();
        }
        let told = scan(folder.path(), None).unwrap_err().to_string();
        assert!(told.contains("more than 10000 files"), "{told}");
    }
}
