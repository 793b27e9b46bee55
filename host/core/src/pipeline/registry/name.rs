//! What models and aliases are called, and how a user names a version of one.

use std::{fmt, str::FromStr};

use anyhow::ensure;

/// The longest name of a model, in bytes.
const MAX_MODEL: usize = 64;

/// The longest name of an alias, in bytes.
const MAX_ALIAS: usize = 32;

/// How alike two names must be for one to be offered for the other: 1 is equal.
const ALIKE: f64 = 0.7;

/// `[A-Za-z0-9._-]`, at most 64, not starting with a dot.
pub fn check_model(name: &str) -> anyhow::Result<()> {
    let letters = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    let fits = letters && (1..=MAX_MODEL).contains(&name.len()) && !name.starts_with('.');
    ensure!(
        fits,
        "'{}' cannot be a model's name: it has 1 to {MAX_MODEL} letters, digits, '.', '_' and \
         '-', and begins with no '.'",
        shown(name)
    );
    Ok(())
}

/// `[a-z0-9-]`, at most 32, beginning with a letter: never to be taken for a number.
pub(in crate::pipeline) fn check_alias(alias: &str) -> anyhow::Result<()> {
    let letters = alias
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let begins = alias.starts_with(|first: char| first.is_ascii_lowercase());
    ensure!(
        letters && begins && alias.len() <= MAX_ALIAS,
        "'{}' cannot be an alias: it has 1 to {MAX_ALIAS} lower-case letters, digits and '-', \
         and begins with a letter",
        shown(alias)
    );
    Ok(())
}

fn shown(text: &str) -> String {
    let text: String = text.chars().take(80).collect();
    text.escape_debug().to_string()
}

/// How a user names a version: `NAME`, `NAME@champion`, `NAME@3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRef {
    /// The model's name.
    pub name: String,
    /// Which version.
    pub selector: Selector,
}

/// Which version of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The one that an alias points at.
    Alias(String),
    /// The one with this number.
    Version(u32),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => f.write_str(alias),
            Self::Version(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for ModelRef {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, selector) = text.split_once('@').unwrap_or((text, "champion"));
        check_model(name)?;
        let number = selector.strip_prefix('v').unwrap_or(selector);
        let selector = if let Ok(number) = number.parse() {
            Selector::Version(number)
        } else {
            check_alias(selector)?;
            Selector::Alias(selector.to_owned())
        };
        Ok(Self {
            name: name.to_owned(),
            selector,
        })
    }
}

/// The one of `names` that is most like `name`, where one is.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
    names
        .into_iter()
        .map(|other| (likeness(other), other))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_in_three_ways() {
        let parsed = |text: &str| text.parse::<ModelRef>().map(|m| (m.name, m.selector));
        let alias = |alias: &str| Selector::Alias(alias.to_owned());
        let iris = || "iris".to_owned();
        assert_eq!(parsed("iris").unwrap(), (iris(), alias("champion")));
        assert_eq!(parsed("iris@shadow").unwrap(), (iris(), alias("shadow")));
        assert_eq!(parsed("iris@3").unwrap(), (iris(), Selector::Version(3)));
        assert_eq!(parsed("iris@v3").unwrap(), (iris(), Selector::Version(3)));
        for bad in [
            "", "@3", "iris@", "iris@3x", "iris@A", "a/b", ".x", "a b", "iris@a@b",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
        assert!(parsed(&"x".repeat(65)).is_err());
        assert!(parsed(&"x".repeat(64)).is_ok());
    }

    #[test]
    fn the_nearest_name_is_offered() {
        let names = ["iris", "diabetes", "churn"];
        assert_eq!(nearest("irsi", names), Some("iris"));
        assert_eq!(nearest("Churn", names), Some("churn"));
        assert_eq!(nearest("zzz", names), None);
    }
}
