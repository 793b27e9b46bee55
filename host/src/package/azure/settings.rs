//! The user's septet.toml as it goes into the apps: what it names, and what it must not hold.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use toml::{Table, Value};

use super::secrets;

/// Largest file of settings that is read.
const MOST_BYTES: u64 = 1 << 20;

/// Largest file that the settings name and that is shipped with them.
const MOST_FILE: u64 = 64 << 20;

/// The container that is watched where the settings name none.
const INCOMING: &str = "incoming";

/// Settings that name files which a stage reads: they are shipped.
const FILES: [(&str, &str); 3] = [
    ("ingest", "schema"),
    ("preprocess", "transforms"),
    ("preprocess", "test"),
];

/// What of the settings a package is made from.
#[derive(Debug, Default)]
pub struct Shipped {
    /// The file as it stands; empty where there is none.
    pub text: String,
    /// Files it names, as it names them, and their bytes.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// The containers that it watches.
    pub containers: Vec<String>,
    /// Whether it has rules by the clock.
    pub timers: bool,
}

impl Shipped {
    /// Without a file of settings.
    pub fn none() -> Self {
        Self {
            containers: vec![INCOMING.to_owned()],
            ..Self::default()
        }
    }

    /// The settings in `path`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = bounded(path, MOST_BYTES).with_context(|| format!("the settings {shown}"))?;
        let text = String::from_utf8(text)
            .map_err(|_| anyhow::anyhow!("the settings {shown} are no text"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(text, folder).with_context(|| format!("in {shown}"))
    }

    fn parse(text: String, folder: &Path) -> anyhow::Result<Self> {
        if let Some((line, what)) = secrets::find(&text) {
            bail!(
                "line {line} holds {what}, and the file is shipped as it stands: put it into the \
                 Key Vault and name it with --secret SETTING=SECRET"
            );
        }
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            anyhow::anyhow!("{}", error.message().replace('\n', " "))
        })?;
        for (section, setting) in [
            ("encryption", "SEPTET_STORE_KEY"),
            ("http", "SEPTET_HTTP_KEY"),
        ] {
            let key = table
                .get(section)
                .and_then(|section| section.get("key_file"));
            ensure!(
                key.is_none(),
                "key_file of [{section}] names a file of this machine: take it out, and give the \
                 key with --secret {setting}=NAME, its name in the Key Vault"
            );
        }
        let rules = |name: &str| table.get(name).and_then(Value::as_array);
        let mut containers: BTreeSet<String> = BTreeSet::new();
        for rule in rules("container").into_iter().flatten() {
            let name = rule.get("container").and_then(Value::as_str);
            containers.extend(name.map(str::to_owned));
        }
        if containers.is_empty() {
            containers.insert(INCOMING.to_owned());
        }
        let mut files = Vec::new();
        for (section, name) in FILES {
            let named = table.get(section).and_then(|section| section.get(name));
            let named = match named {
                Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
                Some(one) => one.as_str().into_iter().collect(),
                None => Vec::new(),
            };
            for file in named {
                let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
                ensure!(
                    Path::new(file).components().all(inside),
                    "{name} of [{section}] is '{}': only a file in the settings' own folder can be \
                     shipped with them",
                    file.escape_debug()
                );
                let bytes = bounded(&folder.join(file), MOST_FILE)
                    .with_context(|| format!("{name} of [{section}]: {}", file.escape_debug()))?;
                files.push((PathBuf::from(file), bytes));
            }
        }
        Ok(Self {
            text,
            files,
            containers: containers.into_iter().collect(),
            timers: rules("timer").is_some_and(|rules| !rules.is_empty()),
        })
    }
}

/// The bytes of a file that is not larger than it may be.
fn bounded(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let size = fs::metadata(path).context("it can't be read")?.len();
    ensure!(
        size <= most,
        "it has {size} bytes: at most {most} are shipped"
    );
    fs::read(path).context("it can't be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<Shipped> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("s.json"), "{}").unwrap();
        Shipped::parse(text.to_owned(), folder.path())
    }

    #[test]
    fn rules_and_files_are_found() {
        let shipped = parse(
            "[[container]]\ncontainer = 'b'\n[[container]]\ncontainer = 'a'\n\
             [[container]]\ncontainer = 'b'\n[[timer]]\nname = 't'\n[ingest]\nschema = 's.json'\n",
        )
        .unwrap();
        assert_eq!(shipped.containers, ["a", "b"]);
        assert!(shipped.timers);
        assert_eq!(shipped.files, [(PathBuf::from("s.json"), b"{}".to_vec())]);
        let plain = parse("").unwrap();
        assert_eq!(plain.containers, ["incoming"]);
        assert!(!plain.timers);
    }

    #[test]
    fn what_must_not_be_shipped_is_named() {
        for (text, named) in [
            (
                "store = 'x;AccountKey=abc=='",
                "line 1 holds an account key",
            ),
            ("[http]\nkey_file = 'k'", "key_file of [http]"),
            ("[encryption]\nkey_file = 'k'", "--secret SEPTET_STORE_KEY"),
            ("[ingest]\nschema = '../s.json'", "settings' own folder"),
            ("[ingest]\nschema = '/etc/passwd'", "settings' own folder"),
            (
                "[preprocess]\ntest = ['no.csv']",
                "no.csv: it can't be read",
            ),
            ("a = [", "array"),
        ] {
            let told = format!("{:#}", parse(text).unwrap_err());
            assert!(told.contains(named), "{told}");
            assert!(!told.contains("abc"), "{told}");
        }
    }
}
