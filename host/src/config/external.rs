//! `external` and `shadow` of a stage's section: what takes the stage's place, and what is tried beside it.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use septet::{
    contract::Stage,
    external::{Doorway, External, Externals, Headers, Way},
};
use serde::Deserialize;
use url::Url;

use super::key::read_secret;

/// Largest file with a key that is read.
const MAX_KEY_FILE: usize = 4096;

/// The file with the key, in errors: what stands in its place may be a key itself.
const KEY_FILE: &str = "the file that external.key_file names";

/// What of this process's environment every command is given, where it is set: without it hardly a program
/// starts, and nothing of it is secret.
const ENVIRONMENT: [&str; 6] = ["HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TZ"];

/// `external = { … }` of a stage.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExternalSection {
    #[serde(default)]
    command: Vec<String>,
    /// Where `files` are meant from; by default the folder of the settings.
    folder: Option<PathBuf>,
    #[serde(default)]
    files: Vec<String>,
    /// Variables that the command is given besides those that each is.
    #[serde(default)]
    environment: Vec<String>,
    /// The address of an HTTP function.
    http: Option<String>,
    /// File with the key that it wants.
    key_file: Option<PathBuf>,
    /// The header that the key goes in; by default `authorization`, as a bearer's token.
    header: Option<String>,
    /// A queue of the store, for whoever reads it.
    queue: Option<String>,
    version: Option<String>,
}

/// `[external]`: where external stages fetch and put artifacts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DoorSection {
    listen: Option<String>,
    url: Option<String>,
}

impl DoorSection {
    fn doorway(&self) -> anyhow::Result<Doorway> {
        let default = Doorway::default();
        let listen = match &self.listen {
            None => default.listen,
            Some(text) => text.parse().map_err(|_| {
                anyhow::anyhow!(
                    "listen of [external] is '{}': give an address and a port, as 127.0.0.1:7072",
                    text.escape_debug()
                )
            })?,
        };
        if let Some(url) = &self.url {
            let good = url.starts_with("https://") || url.starts_with("http://");
            ensure!(
                good && url.parse::<Url>().is_ok(),
                "url of [external] is no address of https: or http:"
            );
        }
        // Who is let in knows an address that nobody guesses; on its way it is as open as the network.
        ensure!(
            listen.ip().is_loopback() || self.url.is_some(),
            "listen of [external] is reached by others: say by `url` under which address, which should be https:"
        );
        Ok(Doorway {
            listen,
            url: self.url.clone(),
        })
    }
}

/// `shadow = "…"` of a stage: what is given copies of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Beside {
    /// The built-in component.
    Default,
    /// The external stage of the same section, after another was promoted.
    External,
}

impl ExternalSection {
    /// The external stage, with its files read now.
    fn external(&self, stage: Stage, from: &Path) -> anyhow::Result<External> {
        let ways = [
            !self.command.is_empty(),
            self.http.is_some(),
            self.queue.is_some(),
        ];
        let command_only =
            self.folder.is_some() || !self.files.is_empty() || !self.environment.is_empty();
        ensure!(
            ways.iter().filter(|way| **way).count() == 1,
            "external names a command, or http, or a queue: write external = {{ command = [\"python3\", \
             \"{stage}.py\"], files = [\"{stage}.py\"] }}"
        );
        ensure!(
            !command_only || !self.command.is_empty(),
            "external.folder, files and environment are for a command"
        );
        let http_only = self.key_file.is_some() || self.header.is_some();
        ensure!(
            !http_only || self.http.is_some(),
            "external.key_file and header are for http"
        );
        let way = if let Some(http) = &self.http {
            self.function(http, from)?
        } else if let Some(queue) = &self.queue {
            Way::Queue {
                queue: queue.clone(),
            }
        } else {
            self.program(from)?
        };
        External::new(stage, way, self.version.as_deref())
    }

    fn function(&self, http: &str, from: &Path) -> anyhow::Result<Way> {
        let url: Url = http
            .parse()
            .map_err(|error| anyhow::anyhow!("external.http is no address: {error}"))?;
        let headers = match &self.key_file {
            None => Headers::default(),
            Some(file) => {
                let make = "write the function's key into it, readable by you alone";
                let text = read_secret(&from.join(file), KEY_FILE, make, MAX_KEY_FILE)?;
                let text = std::str::from_utf8(&text).unwrap_or_default().trim_end();
                ensure!(!text.is_empty(), "{KEY_FILE} holds no key");
                Headers::with_key(self.header.as_deref().unwrap_or("authorization"), text)?
            }
        };
        Ok(Way::Http { url, headers })
    }

    fn program(&self, from: &Path) -> anyhow::Result<Way> {
        let folder = match &self.folder {
            Some(folder) => from.join(folder),
            None => from.to_owned(),
        };
        // The folder of `septet.toml` where one is in it.
        let folder = Path::new(".").join(folder);
        // A process in another folder is told the program by its place.
        let folder = std::path::absolute(&folder)
            .with_context(|| format!("external.folder {}", folder.display()))?;
        let named = ENVIRONMENT
            .into_iter()
            .chain(self.environment.iter().map(String::as_str));
        let mut environment = BTreeMap::new();
        for name in named {
            if let Some(value) = env::var_os(name) {
                environment.insert(name.to_owned(), value);
            } else if !ENVIRONMENT.contains(&name) {
                bail!("external.environment: {name} is not set");
            }
        }
        Ok(Way::Command {
            command: self.command.clone(),
            folder,
            files: self.files.clone(),
            environment,
        })
    }
}

/// The external stages of the settings in `from`.
pub(crate) fn externals<'a>(
    sections: impl IntoIterator<Item = (Stage, &'a ExternalSection)>,
    door: &DoorSection,
    from: &Path,
) -> anyhow::Result<Externals> {
    let mut all = Vec::new();
    for (stage, section) in sections {
        let external = section.external(stage, from);
        all.push(external.with_context(|| format!("in [{stage}] of the settings"))?);
    }
    Ok(Externals::new(all, door.doorway()?))
}
