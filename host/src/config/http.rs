//! `[http]` of septet.toml, and the key, which does not stand there.

use std::{
    env,
    fs::{self, File},
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use septet::trigger::http::{HttpSettings, Key};
use serde::Deserialize;

/// Where the key is, if it is not in a file.
const VARIABLE: &str = "SEPTET_HTTP_KEY";

/// The port that is listened on if no other is named.
const PORT: u16 = 7071;

/// Largest file with a key that is read.
const MAX_KEY_FILE: u64 = 4096;

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

    /// What the server takes, checked for the address that it will listen on.
    pub(crate) fn settings(&self) -> anyhow::Result<HttpSettings> {
        let address = self.address()?;
        let key = match env::var_os(VARIABLE).filter(|key| !key.is_empty()) {
            Some(key) => {
                let key = key.into_string().unwrap_or_default();
                Some(Key::new(&key).with_context(|| format!("{VARIABLE} can't be used"))?)
            }
            None => self.key_file.as_deref().map(read).transpose()?,
        };
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

/// The key in a file that nobody else can read.
fn read(path: &Path) -> anyhow::Result<Key> {
    let shown = path.display();
    let unreadable = || format!("the key file {shown} can't be read");
    let file = File::open(path).with_context(unreadable)?;
    let metadata = file.metadata().with_context(unreadable)?;
    if !metadata.is_file() {
        bail!("the key file {shown} is no ordinary file");
    }
    private(&metadata, path)?;
    let mut key = String::new();
    let read = file.take(MAX_KEY_FILE + 1).read_to_string(&mut key);
    read.with_context(unreadable)?;
    Key::new(key.trim_end()).with_context(|| format!("the key file {shown} can't be used"))
}

/// Refuses a file that others on this machine can read.
#[cfg(unix)]
fn private(metadata: &fs::Metadata, path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        let shown = path.display();
        bail!("the key file {shown} is open to other users: chmod 600 {shown}");
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(_: &fs::Metadata, _: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
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

    #[cfg(unix)]
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
        assert!(error.contains("can't be used"), "{error}");
        assert!(!error.contains("short"), "{error}");
        fs::write(&path, "x".repeat(9000)).unwrap();
        assert!(read(&path).is_err());
        assert!(read(folder.path()).is_err());
        assert!(read(&folder.path().join("none")).is_err());
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
