//! `[http]` of septet.toml, and the key, which does not stand there.

use std::{
    env,
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use septet::{
    secret::Reference,
    trigger::http::{HttpSettings, Key},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::key::{Given, read_secret};

/// Where the key is, if it is not in a file.
const VARIABLE: &str = "SEPTET_HTTP_KEY";

/// The port that is listened on if no other is named.
const PORT: u16 = 7071;

/// Largest file with a key that is read.
const MAX_KEY_FILE: usize = 4096;

/// The file with the key, in errors. Nothing tells its name from a key that was put into its place,
/// so it is never shown.
const KEY_FILE: &str = "the file that key_file of [http] names";

/// What is served over HTTP, and to whom.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpSection {
    /// Address and port.
    listen: Option<String>,
    /// File with the key.
    pub(super) key_file: Option<PathBuf>,
    body_bytes: Option<u64>,
    json_bytes: Option<u64>,
    models: Option<usize>,
    predict_rows: Option<usize>,
    requests: Option<usize>,
}

impl HttpSection {
    /// Where to listen.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let Some(listen) = &self.listen else {
            return Ok((Ipv4Addr::LOCALHOST, PORT).into());
        };
        let local = listen.strip_prefix("localhost:");
        let local = local.map(|port| format!("127.0.0.1:{port}"));
        local.as_ref().unwrap_or(listen).parse().map_err(|_| {
            anyhow::anyhow!(
                "listen of [http] is '{}': give an address and a port, as 127.0.0.1:{PORT}",
                listen.escape_debug()
            )
        })
    }

    /// Where the key is, if a vault has it.
    pub(crate) fn reference(&self) -> anyhow::Result<Option<Reference>> {
        let key = key(env::var_os(VARIABLE), self.key_file.as_deref())?;
        Ok(match key {
            Some(Given::Reference(reference)) => Some(reference),
            _ => None,
        })
    }

    /// What the server takes, checked for the address that it will listen on. A key that a vault has
    /// lets nobody in until it was fetched.
    pub(crate) fn settings(&self) -> anyhow::Result<HttpSettings> {
        let address = self.address()?;
        let key = key(env::var_os(VARIABLE), self.key_file.as_deref())?;
        let key = key.map(|key| match key {
            Given::Secret(key) => key,
            Given::Reference(_) => Key::locked(),
        });
        let default = HttpSettings::default();
        let settings = HttpSettings {
            key,
            body_bytes: self.body_bytes.unwrap_or(default.body_bytes),
            json_bytes: self.json_bytes.unwrap_or(default.json_bytes),
            models: self.models.unwrap_or(default.models),
            predict_rows: self.predict_rows.unwrap_or(default.predict_rows),
            requests: self.requests.unwrap_or(default.requests),
            ..default
        };
        settings.check(address)?;
        Ok(settings)
    }
}

/// The key of the environment, else the one in the file. What is set to nothing is no key and no
/// lack of one: where a secret did not arrive, nobody is to be served without.
fn key(variable: Option<OsString>, file: Option<&Path>) -> anyhow::Result<Option<Given<Key>>> {
    let Some(key) = variable else {
        return file.map(read).transpose();
    };
    ensure!(
        !key.is_empty(),
        "{VARIABLE} is set and empty: give it a key, or unset it"
    );
    let key = key.into_string().unwrap_or_default();
    let key = Zeroizing::new(key);
    let key = Given::read(&key, Key::new).with_context(|| format!("{VARIABLE} can't be used"))?;
    Ok(Some(key))
}

/// The key in a file that nobody else can read.
fn read(path: &Path) -> anyhow::Result<Given<Key>> {
    let make = "`(umask 077; openssl rand -hex 32 > FILE)` makes one";
    let text = read_secret(path, KEY_FILE, make, MAX_KEY_FILE)?;
    let text = std::str::from_utf8(&text).unwrap_or_default();
    Given::read(text.trim_end(), Key::new).with_context(|| format!("{KEY_FILE} holds no key"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn section(text: &str) -> HttpSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_address_has_a_default_and_may_be_named() {
        let address = |text: &str| section(text).address().map(|a| a.to_string());
        assert_eq!(address("").unwrap(), "127.0.0.1:7071");
        let local = address("listen = \"localhost:80\"").unwrap();
        assert_eq!(local, "127.0.0.1:80");
        assert_eq!(address("listen = \"[::1]:80\"").unwrap(), "[::1]:80");
        for bad in ["", "7071", "example.com:80", "127.0.0.1", "127.0.0.1:70000"] {
            let error = address(&format!("listen = \"{bad}\"")).unwrap_err();
            assert!(error.to_string().contains("listen of [http]"), "{error}");
        }
        assert!(toml::from_str::<HttpSection>("key = \"secret\"").is_err());
    }

    #[test]
    fn a_key_file_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "0123456789abcdef\n").unwrap();
        let open_to = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o644, 0o640, 0o604] {
            open_to(mode);
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("open to other users"), "{error}");
        }
        open_to(0o600);
        read(&path).unwrap();
        fs::write(&path, "short").unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("holds no key"), "{error}");
        assert!(!error.contains("short"), "{error}");
        fs::write(&path, "x".repeat(9000)).unwrap();
        assert!(read(&path).is_err());
        assert!(read(folder.path()).is_err());
        // What was typed may be the key.
        let typed = "fedcba9876543210fedc";
        let error = format!("{:#}", read(&folder.path().join(typed)).unwrap_err());
        assert!(error.contains("is not there"), "{error}");
        assert!(!error.contains(typed) && !error.contains('\n'), "{error}");
    }

    #[test]
    fn an_empty_variable_is_no_lack_of_a_key() {
        let error = key(Some(OsString::new()), None).unwrap_err().to_string();
        assert!(
            error.contains(VARIABLE) && error.contains("empty"),
            "{error}"
        );
        let file = Path::new("/no/file");
        assert!(key(Some(OsString::new()), Some(file)).is_err());
        assert!(key(Some("short".into()), None).is_err());
        let given = key(Some("0123456789abcdef".into()), Some(file));
        assert!(given.unwrap().is_some());
        assert!(key(None, None).unwrap().is_none());
        // A reference that nobody resolved is no key: everybody could guess it.
        let reference = "@Microsoft.KeyVault(VaultName=v;SecretName=k)";
        let given = key(Some(reference.into()), None).unwrap();
        assert!(matches!(given, Some(Given::Reference(_))));
        let broken = reference.trim_end_matches(')');
        assert!(key(Some(broken.into()), None).is_err());
    }

    #[test]
    fn others_are_served_with_a_key_only() {
        let open = section("listen = \"0.0.0.0:7071\"");
        // The tests run without the variable.
        let error = open.settings().unwrap_err().to_string();
        assert!(error.contains(VARIABLE), "{error}");
        let error = section("predict_rows = 0").settings().unwrap_err();
        assert!(error.to_string().contains("predict_rows"), "{error}");
        section("").settings().unwrap();
    }
}
