//! The project's name, its folder, and what is said of it.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::Path,
};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::template::Project;
use crate::cli::{
    args::{New, NewCommand},
    output,
};

/// Characters of a name.
const MOST: usize = 64;

/// Writes a project into a new folder here.
pub(crate) fn new(new: &New, json: bool) -> anyhow::Result<()> {
    let (stage, wanted) = match &new.what {
        NewCommand::Transform { project } => (None, project),
        NewCommand::Stage { stage, project } => (Some(*stage), project),
    };
    check(&wanted.name)?;
    let project = Project {
        name: &wanted.name,
        language: wanted.lang,
        stage,
    };
    let files = project.files();
    let folder = Path::new(&wanted.name);
    empty(folder)?;
    for (path, text) in &files {
        write(&folder.join(path), text)?;
    }
    let next = commands(&files);
    if json {
        let paths: Vec<_> = files.iter().map(|(path, _)| path).collect();
        return output::json(&json!({
            "written": wanted.name,
            "files": paths,
            "next": next,
        }));
    }
    let what = stage.map_or("a transform".to_owned(), |stage| format!("a stage {stage}"));
    output::text_line(&format!(
        "{name}/ is written: {what} in {language}. Next, as its README.md says:\n  cd {name}\n  {next}",
        name = wanted.name,
        language = wanted.lang.title(),
        next = next.join("\n  "),
    ))
}

/// A name becomes a folder, a package of cargo or npm, and the name under which a transform is added.
fn check(name: &str) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        name.len() <= MOST
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.ends_with(|c: char| c != '-')
            && name.chars().all(plain),
        "'{}' can't be a project's name: lower-case letters, digits and '-', a letter first, at most \
         {MOST} characters",
        name.escape_debug().take(MOST).collect::<String>()
    );
    Ok(())
}

/// Nothing that is there is touched, or mixed with what is written.
fn empty(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            ensure!(
                entries.next().is_none(),
                "the folder {shown} is there and not empty: choose another name"
            );
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).context(format!("{shown} can't be used as a folder")),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let shown = path.display();
    if let Some(folder) = path.parent() {
        let failed = || format!("the folder {} can't be made", folder.display());
        fs::create_dir_all(folder).with_context(failed)?;
    }
    let mut file =
        fs::File::create_new(path).with_context(|| format!("{shown} can't be written"))?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("{shown} can't be written"))
}

/// The commands of the project's README: what is said here can't differ from what is said there.
fn commands(files: &[(String, String)]) -> Vec<&str> {
    let readme = files.iter().find(|(path, _)| path == "README.md");
    let blocks = readme.into_iter().flat_map(|(_, text)| {
        // Between fences is every second piece.
        text.split("```\n").skip(1).step_by(2)
    });
    blocks.flat_map(str::lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["a", "bill-ratio", "x2", &"x".repeat(64)] {
            check(good).unwrap();
        }
        for bad in [
            "",
            "-a",
            "a-",
            "2x",
            "A",
            "a_b",
            "a/b",
            "..",
            "é",
            &"x".repeat(65),
        ] {
            let told = check(bad).unwrap_err().to_string();
            assert!(told.contains("can't be a project's name"), "{told}");
        }
    }

    #[test]
    fn commands_are_what_stands_between_fences() {
        let readme = "a\n```\none\ntwo\n```\nb\n```\nthree\n```\n".to_owned();
        let files = [("README.md".to_owned(), readme)];
        assert_eq!(commands(&files), ["one", "two", "three"]);
    }
}
