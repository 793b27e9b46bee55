//! Who we are to a registry of components: by the environment, else by the file that `docker login`
//! and other tools write.
//!
//! No program is run to ask for a password, and no error has any of one.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use septet::{distribution::Credentials, secret::Secret};
use serde_json::Value;
use zeroize::Zeroizing;

const USER: &str = "SEPTET_REGISTRY_USER";
const PASSWORD: &str = "SEPTET_REGISTRY_PASSWORD";

/// The largest file of logins that is read.
const MAX_FILE: u64 = 1 << 20;

/// Who we are to `registry`; none where nothing is said of it.
pub(crate) fn credentials(registry: &str) -> anyhow::Result<Option<Credentials>> {
    if let Some(own) = of_words(env::var_os(USER), env::var_os(PASSWORD))? {
        return Ok(Some(own));
    }
    let folder = match env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => match env::var_os("HOME").filter(|home| !home.is_empty()) {
            Some(home) => PathBuf::from(home).join(".docker"),
            None => return Ok(None),
        },
    };
    of_file(&folder.join("config.json"), registry)
}

fn of_words(
    user: Option<OsString>,
    password: Option<OsString>,
) -> anyhow::Result<Option<Credentials>> {
    let (user, password) = match (user, password) {
        (None, None) => return Ok(None),
        (Some(user), Some(password)) => (user, password),
        (Some(_), None) => bail!("{USER} is set and {PASSWORD} is not: set both or neither"),
        (None, Some(_)) => bail!("{PASSWORD} is set and {USER} is not: set both or neither"),
    };
    let text = |name: &str, word: OsString| {
        let word = word.into_string().ok().filter(|word| !word.is_empty());
        // An empty word is one that did not arrive: to go on as nobody would hide that.
        word.with_context(|| format!("{name} is empty or no text"))
    };
    let user = text(USER, user)?;
    ensure!(
        !user.contains(':'),
        "{USER} has a colon, which no user's name has"
    );
    Ok(Some(Credentials {
        user,
        password: Secret::new(text(PASSWORD, password)?),
    }))
}

/// The login of `registry` in a file of docker's.
fn of_file(file: &Path, registry: &str) -> anyhow::Result<Option<Credentials>> {
    let shown = file.display();
    let unreadable = || format!("the logins in {shown} can't be read");
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(unreadable),
    };
    // To open a pipe would wait for whoever writes into it.
    ensure!(
        metadata.is_file(),
        "{shown} is no file: it is where docker keeps logins"
    );
    let mut text = Zeroizing::new(Vec::new());
    let opened = File::open(file).with_context(unreadable)?;
    opened
        .take(MAX_FILE + 1)
        .read_to_end(&mut text)
        .with_context(unreadable)?;
    ensure!(
        text.len() as u64 <= MAX_FILE,
        "{shown} has more than {MAX_FILE} bytes: it is no file of logins"
    );
    // The parser's own words may hold a piece of the file.
    let value: Value = serde_json::from_slice(&text)
        .map_err(|_| anyhow::anyhow!("{shown} is not JSON: it is where docker keeps logins"))?;
    let Some(entry) = entry(&value, registry) else {
        return Ok(None);
    };
    let named = |name: &str| entry.get(name).and_then(Value::as_str);
    if let Some(auth) = named("auth").filter(|auth| !auth.is_empty()) {
        let decoded = STANDARD.decode(auth.trim()).ok().map(Zeroizing::new);
        let both = decoded
            .as_deref()
            .and_then(|both| std::str::from_utf8(both).ok());
        let (user, password) = both
            .and_then(|both| both.split_once(':'))
            .with_context(|| {
                format!("the login of {registry} in {shown} can't be read: log in again")
            })?;
        return Ok(Some(Credentials {
            user: user.to_owned(),
            password: Secret::new(password.trim_end_matches('\0').to_owned()),
        }));
    }
    ensure!(
        named("identitytoken").is_none(),
        "the login of {registry} in {shown} is an identity token, which is not used: set {USER} and \
         {PASSWORD}"
    );
    Ok(None)
}

/// The entry of a registry, which older tools name by an address.
fn entry<'a>(value: &'a Value, registry: &str) -> Option<&'a Value> {
    let auths = value.get("auths")?.as_object()?;
    let host = |name: &str| -> String {
        let name = name.strip_prefix("https://").unwrap_or(name);
        let name = name.strip_prefix("http://").unwrap_or(name);
        let host = name.split('/').next().unwrap_or_default();
        // As docker itself names its own registry.
        host.strip_prefix("index.")
            .filter(|rest| *rest == "docker.io")
            .unwrap_or(host)
            .to_owned()
    };
    auths.get(registry).or_else(|| {
        let mut all = auths.iter();
        all.find(|(name, _)| host(name) == registry)
            .map(|(_, entry)| entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    #[test]
    fn both_words_or_none() {
        let word = |text: &str| Some(OsString::from(text));
        assert!(of_words(None, None).unwrap().is_none());
        let own = of_words(word("me"), word("geheim")).unwrap().unwrap();
        assert_eq!((own.user.as_str(), own.password.text()), ("me", "geheim"));
        assert!(!format!("{own:?}").contains("geheim"));
        for (user, password) in [
            (word("me"), None),
            (None, word("geheim")),
            (word("me"), word("")),
            (word(""), word("geheim")),
            (word("a:b"), word("geheim")),
        ] {
            let line = of_words(user, password).unwrap_err().to_string();
            assert!(
                line.contains("SEPTET_REGISTRY_") && !line.contains("geheim"),
                "{line}"
            );
        }
    }

    #[test]
    fn dockers_logins_are_found_by_host() {
        let auth = STANDARD.encode("me:ge:heim");
        let text = format!(
            r#"{{"auths":{{"r.example:5000":{{"auth":"{auth}"}},"https://old.example/v1/":{{"auth":"{auth}"}},
            "https://index.docker.io/v1/":{{"auth":"{auth}"}},"kept.example":{{}},
            "token.example":{{"identitytoken":"x"}},"bad.example":{{"auth":"%%"}}}},"credsStore":"pass"}}"#
        );
        let (_folder, file) = file(&text);
        for registry in ["r.example:5000", "old.example", "docker.io"] {
            let own = of_file(&file, registry).unwrap().unwrap();
            assert_eq!((own.user.as_str(), own.password.text()), ("me", "ge:heim"));
        }
        for registry in ["r.example", "other.example", "kept.example"] {
            assert!(of_file(&file, registry).unwrap().is_none(), "{registry}");
        }
        let line = of_file(&file, "token.example").unwrap_err().to_string();
        assert!(line.contains("identity token"), "{line}");
        let line = of_file(&file, "bad.example").unwrap_err().to_string();
        assert!(line.contains("log in again"), "{line}");
    }

    #[test]
    fn a_file_that_is_none_is_told_without_its_words() {
        let (folder, path) = file("geheim");
        let line = of_file(&path, "h").unwrap_err().to_string();
        assert!(
            line.contains("not JSON") && !line.contains("geheim"),
            "{line}"
        );
        assert!(of_file(folder.path(), "h").is_err());
        assert!(of_file(&folder.path().join("none"), "h").unwrap().is_none());
        for text in [
            "{}",
            "[]",
            "null",
            r#"{"auths":[]}"#,
            r#"{"auths":{"h":7}}"#,
        ] {
            let (_folder, path) = file(text);
            assert!(of_file(&path, "h").unwrap().is_none(), "{text}");
        }
    }
}
