//! `[[container]]`: what becomes of the blobs that others write into a container.

use anyhow::{Context as _, bail, ensure};
use septet::{pipeline::RunKind, trigger::azure::ContainerRule};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{files, triggers::check_model_of};

/// The most such tables.
const MOST: usize = 100;

/// Bytes of a blob that are taken, where nothing is said, and at most.
const BYTES: u64 = 1 << 30;
const MOST_BYTES: u64 = 1 << 36;

/// Containers of the store itself: what is written there is no data of others.
const OWN: [&str; 4] = ["cas", "ledger", "messages", "registry"];

/// `[[container]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContainerSettings {
    container: String,
    #[serde(default)]
    prefix: String,
    run: RunKind,
    model: Option<String>,
    max_bytes: Option<u64>,
    #[serde(default)]
    options: Map<String, Value>,
}

/// The rules, each with its number in errors.
pub(crate) fn rules(settings: &[ContainerSettings]) -> anyhow::Result<Vec<ContainerRule>> {
    ensure!(
        settings.len() <= MOST,
        "there are {} containers: at most {MOST} can be named",
        settings.len()
    );
    let rules = (1..).zip(settings).map(|(number, settings)| {
        let name = settings.container.escape_debug();
        let rule = settings.rule();
        rule.with_context(|| format!("[[container]] {number} ({name})"))
    });
    rules.collect()
}

impl ContainerSettings {
    fn rule(&self) -> anyhow::Result<ContainerRule> {
        let name = &self.container;
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        ensure!(
            (3..=63).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-'),
            "container: give 3 to 63 lower-case letters, digits and inner hyphens"
        );
        ensure!(
            !OWN.contains(&name.as_str()),
            "container: '{name}' is the store's own: name one for data"
        );
        ensure!(self.prefix.len() <= 1024, "prefix: at most 1024 bytes");
        check_model_of(self.run, self.model.as_deref())?;
        if let Some(option) = files::naming_one(&self.options) {
            bail!("options: {option} names a file of this machine, and these runs begin anywhere");
        }
        let most = self.max_bytes.unwrap_or(BYTES);
        ensure!(
            (1..=MOST_BYTES).contains(&most),
            "max_bytes is {most}: it must be 1 to {MOST_BYTES}"
        );
        Ok(ContainerRule {
            container: name.clone(),
            prefix: self.prefix.clone(),
            kind: self.run,
            model: self.model.clone(),
            options: self.options.clone(),
            most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn read(text: &str) -> anyhow::Result<Vec<ContainerRule>> {
        let settings: Settings = toml::from_str(text)?;
        rules(&settings.container)
    }

    #[test]
    fn a_container_has_a_rule() {
        let text = "[[container]]\ncontainer = 'incoming'\nprefix = 'days/'\nrun = 'train'\n\
                    options = { target = 'y' }\n";
        let rules = read(text).unwrap();
        assert_eq!(rules[0].container, "incoming");
        assert_eq!((rules[0].most, rules[0].prefix.as_str()), (BYTES, "days/"));
        for (from, to, told) in [
            (
                "'incoming'",
                "'In'",
                "[[container]] 1 (In): container: give",
            ),
            ("'incoming'", "'ledger'", "is the store's own"),
            ("'train'", "'predict'", "needs a model"),
            ("target", "schema", "schema names a file"),
            ("prefix", "suffix", "unknown field `suffix`"),
            ("prefix = 'days/'", "max_bytes = 0", "max_bytes is 0"),
        ] {
            let error = format!("{:#}", read(&text.replacen(from, to, 1)).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
        assert!(read(&text.repeat(101)).is_err());
    }
}
