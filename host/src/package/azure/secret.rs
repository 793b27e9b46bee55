//! A setting whose value is a secret of the Key Vault.

use std::str::FromStr;

use anyhow::ensure;

/// An app setting and the secret that is its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The variable that the program sees.
    pub setting: String,
    /// The secret's name in the vault.
    pub name: String,
    /// The apps that have it; all where none is named.
    pub apps: Vec<String>,
}

impl FromStr for Secret {
    type Err = anyhow::Error;

    /// `SETTING=SECRET` or `SETTING=SECRET@APP,APP`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Whoever gives a value instead of a name must not read it in an error.
        let (setting, rest) = text.split_once('=').unwrap_or((text, ""));
        let (name, apps) = rest.split_once('@').unwrap_or((rest, ""));
        let is_setting = (1..=64).contains(&setting.len())
            && setting
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        ensure!(
            is_setting,
            "--secret: what stands before '=' is no name of a setting: give it capital letters, \
             digits and '_', as SEPTET_HTTP_KEY=http-key"
        );
        let is_name = (1..=127).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        ensure!(
            is_name,
            "--secret {setting}: give the name of a secret in the Key Vault (letters, digits and \
             '-'), and not its value"
        );
        let apps = apps.split(',').filter(|app| !app.is_empty());
        Ok(Self {
            setting: setting.to_owned(),
            name: name.to_owned(),
            apps: apps.map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_taken_for_a_name_and_not_repeated() {
        for text in [
            "SEPTET_HTTP_KEY=a/b+c==",
            "SEPTET_HTTP_KEY",
            "secret=x",
            "=x",
        ] {
            let told = text.parse::<Secret>().unwrap_err().to_string();
            assert!(!told.contains("a/b+c"), "{told}");
        }
        let secret: Secret = "SEPTET_HTTP_KEY=http-key@infer,ingest".parse().unwrap();
        assert_eq!(secret.apps, ["infer", "ingest"]);
        assert_eq!(secret.name, "http-key");
    }
}
