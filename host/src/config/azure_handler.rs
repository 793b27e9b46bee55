//! What the Azure Functions host says to the process that it starts.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

/// The port to listen on, in the newer and the older name.
const PORTS: [&str; 2] = ["FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"];

/// The folder of the app.
const ROOT: &str = "FUNCTIONS_APP_ROOT_PATH";

/// Native code of the app's package, in the app's folder.
const NATIVE: &str = "native";

/// The process that started this one, and where it works.
#[derive(Debug)]
pub(crate) struct Host {
    /// The port to listen on.
    pub(crate) port: u16,
    /// The folder of the app.
    pub(crate) root: PathBuf,
}

impl Host {
    /// Reads the environment.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let port = PORTS.iter().find_map(|name| env::var(name).ok());
        Ok(Self {
            port: self::port(port.as_deref())?,
            root: root().unwrap_or_else(|| PathBuf::from(".")),
        })
    }

    /// The native code of the package, if it came with some.
    pub(crate) fn native(&self) -> Option<PathBuf> {
        let folder = self.root.join(NATIVE);
        folder.join("manifest.json").is_file().then_some(folder)
    }
}

/// The settings of the app, where the working folder has none.
pub(crate) fn settings_file() -> Option<PathBuf> {
    if Path::new("septet.toml").is_file() {
        return None;
    }
    let file = root()?.join("septet.toml");
    file.is_file().then_some(file)
}

fn root() -> Option<PathBuf> {
    let root = env::var_os(ROOT).filter(|root| !root.is_empty());
    root.map(PathBuf::from)
}

fn port(text: Option<&str>) -> anyhow::Result<u16> {
    let [name, _] = PORTS;
    let text = text.with_context(|| {
        format!("{name} is not set: `septet azure handle` is started by the Azure Functions host")
    })?;
    let port = text.parse().ok().filter(|port| *port != 0);
    let shown: String = text.chars().take(20).collect();
    ensure!(
        port.is_some(),
        "{name} is '{}': it must be a port, 1 to 65535",
        shown.escape_debug()
    );
    Ok(port.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number() {
        assert_eq!(port(Some("7071")).unwrap(), 7071);
        for bad in ["", "0", "65536", "http", "-1", " 7071"] {
            let told = port(Some(bad)).unwrap_err().to_string();
            assert!(told.contains("FUNCTIONS_CUSTOMHANDLER_PORT is"), "{told}");
        }
        assert!(port(None).unwrap_err().to_string().contains("is not set"));
    }
}
