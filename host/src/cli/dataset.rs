//! From what was typed as DATA to the files that it means.
//!
//! It looks at names, and whether files can be read; it must not look into them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};

use septet::contract::ENDINGS;

use super::source;

/// The most files that one pattern or folder may mean.
const MOST: usize = 10_000;

/// The files that `typed` means, in order: a file as it stands there, the files of a pattern or a
/// folder by name. A file that a pattern finds again is taken once; one that is named twice is an
/// error, because somebody meant another one.
pub(crate) fn files(typed: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut named = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for typed in typed {
        let (found, by_name) = meant(typed)?;
        for file in found {
            source::check(&file)?;
            let shown = file.display();
            let real = fs::canonicalize(&file).with_context(|| format!("{shown} can't be read"))?;
            if by_name {
                ensure!(
                    named.insert(real.clone()),
                    "{shown} is named twice: a part counts once"
                );
            }
            if taken.insert(real) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// The data without those files that hold the test rows.
pub(crate) fn without(files: Vec<PathBuf>, tests: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let real = |path: &PathBuf| fs::canonicalize(path).ok();
    let tests: BTreeSet<_> = tests.iter().filter_map(real).collect();
    let kept: Vec<PathBuf> = files
        .into_iter()
        .filter(|file| real(file).is_none_or(|file| !tests.contains(&file)))
        .collect();
    ensure!(
        !kept.is_empty(),
        "the test files are all the data there is: name data to train on too"
    );
    Ok(kept)
}

/// The name that stands for the whole: that of the folder, else of the first file.
pub(crate) fn name_of<'a>(typed: &'a [PathBuf], files: &'a [PathBuf]) -> &'a Path {
    let first = typed.first().map(PathBuf::as_path);
    let folder = first.filter(|path| path.is_dir() && path.file_name().is_some());
    folder
        .or_else(|| files.first().map(PathBuf::as_path))
        .unwrap_or(Path::new(""))
}

/// The files that one word means, and whether it names the file itself.
fn meant(typed: &Path) -> anyhow::Result<(Vec<PathBuf>, bool)> {
    let shown = typed.display();
    if typed.is_dir() {
        let found = in_folder(typed)?;
        ensure!(
            !found.is_empty(),
            "the folder {shown} has no data files: files that end in {}",
            ENDINGS.map(|ending| format!(".{ending}")).join(", ")
        );
        return Ok((found, false));
    }
    // A file may have a name that looks like a pattern.
    let pattern = typed
        .to_str()
        .filter(|text| text.contains(['*', '?', '[']) && !typed.exists());
    let Some(pattern) = pattern else {
        return Ok((vec![typed.to_owned()], true));
    };
    let matched =
        glob::glob(pattern).map_err(|error| anyhow::anyhow!("{shown} is no pattern: {error}"))?;
    let mut found = Vec::new();
    for path in matched {
        let path = path.map_err(|error| {
            let path = error.path().display().to_string();
            anyhow::Error::from(error).context(format!("{path} can't be read"))
        })?;
        if path.is_file() {
            found.push(path);
        }
        bound(typed, found.len())?;
    }
    ensure!(!found.is_empty(), "no file matches {shown}");
    found.sort();
    Ok((found, false))
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = folder.display();
    let failed = || format!("the folder {shown} can't be read");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let ending = ending.unwrap_or_default().to_ascii_lowercase();
        if ENDINGS.contains(&ending.as_str()) && path.is_file() {
            found.push(path);
        }
        bound(folder, found.len())?;
    }
    found.sort();
    Ok(found)
}

fn bound(typed: &Path, found: usize) -> anyhow::Result<()> {
    if found > MOST {
        bail!(
            "{} means more than {MOST} files: a dataset has at most as many parts",
            typed.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::TempDir::new().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "a\n1\n").unwrap();
        }
        folder
    }

    fn found(folder: &Path, typed: &[&str]) -> Result<Vec<String>, String> {
        let typed: Vec<PathBuf> = typed.iter().map(|name| folder.join(name)).collect();
        let files = files(&typed).map_err(|error| format!("{error:#}"))?;
        let name = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().into_owned();
        Ok(files.iter().map(name).collect())
    }

    #[test]
    fn patterns_and_folders_are_in_order_of_names() {
        let folder = folder(&["b.csv", "a.csv", "c.jsonl", "notes.txt", "d.PARQUET"]);
        let folder = folder.path();
        assert_eq!(found(folder, &["*.csv"]).unwrap(), ["a.csv", "b.csv"]);
        let all = ["a.csv", "b.csv", "c.jsonl", "d.PARQUET"];
        assert_eq!(found(folder, &[""]).unwrap(), all);
        assert_eq!(
            found(folder, &["b.csv", "?.csv"]).unwrap(),
            ["b.csv", "a.csv"]
        );
        assert_eq!(found(folder, &["notes.txt"]).unwrap(), ["notes.txt"]);
    }

    #[test]
    fn what_means_nothing_or_the_same_twice_is_refused() {
        let folder = folder(&["a.csv", "note"]);
        let folder = folder.path();
        let told = |typed: &[&str]| found(folder, typed).unwrap_err();
        assert!(told(&["a.csv", "./a.csv"]).contains("named twice"));
        assert!(told(&["x*.csv"]).contains("no file matches"));
        assert!(told(&["***"]).contains("is no pattern"));
        fs::create_dir(folder.join("empty")).unwrap();
        assert!(told(&["empty"]).contains("has no data files"));
    }

    #[test]
    fn test_files_are_no_data() {
        let folder = folder(&["a.csv", "test.csv"]);
        let all = files(&[folder.path().to_owned()]).unwrap();
        let test = [folder.path().join("./test.csv")];
        let kept = without(all, &test).unwrap();
        assert_eq!(kept, [folder.path().join("a.csv")]);
        assert!(without(vec![test[0].clone()], &test).is_err());
        let name = [folder.path().to_owned()];
        assert_eq!(name_of(&name, &kept), folder.path());
    }
}
