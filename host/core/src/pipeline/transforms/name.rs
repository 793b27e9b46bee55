//! What transforms are called, and how a user means one.

use std::{fmt, num::NonZeroU32, str::FromStr};

use anyhow::{Context as _, ensure};

/// The longest name of a transform, in bytes.
const MAX_NAME: usize = 64;

/// `[a-z0-9_-]`, at most 64, beginning with a letter: never to be taken for a file or a number.
pub fn check_transform(name: &str) -> anyhow::Result<()> {
    let letters = name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    let shown: String = name.chars().take(80).collect();
    ensure!(
        letters && begins && name.len() <= MAX_NAME,
        "'{}' cannot be a transform's name: it has 1 to {MAX_NAME} lower-case letters, digits, '_' and \
         '-', and begins with a letter",
        shown.escape_debug()
    );
    Ok(())
}

/// How a user means a transform: `NAME`, its newest version, or `NAME@2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformRef {
    /// The name.
    pub name: String,
    /// Which of its versions, from 1; none for the newest.
    pub version: Option<NonZeroU32>,
}

impl fmt::Display for TransformRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.version
            .map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

impl FromStr for TransformRef {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        check_transform(name)?;
        let number = |version: &str| {
            let digits = version.strip_prefix('v').unwrap_or(version);
            let shown: String = version.chars().take(80).collect();
            let number = digits.parse::<NonZeroU32>();
            number.with_context(|| {
                format!(
                    "'{}' is no version of a transform: write {name}@1, or {name} for the newest",
                    shown.escape_debug()
                )
            })
        };
        Ok(Self {
            name: name.to_owned(),
            version: version.map(number).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_is_meant_by_name_and_version() {
        let parsed = |text: &str| {
            let parsed = text.parse::<TransformRef>();
            parsed.map(|one| (one.to_string(), one.version.map(NonZeroU32::get)))
        };
        assert_eq!(parsed("ratio").unwrap(), ("ratio".to_owned(), None));
        assert_eq!(parsed("a-b_1@2").unwrap(), ("a-b_1@2".to_owned(), Some(2)));
        assert_eq!(parsed("ratio@v2").unwrap().1, Some(2));
        for bad in [
            "",
            "1x",
            "Ratio",
            "a/b",
            "x.wasm",
            "ratio@",
            "ratio@0",
            "ratio@x",
            "ratio@1@2",
            "é",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
        assert!(parsed(&"x".repeat(65)).is_err());
        assert!(parsed(&"x".repeat(64)).is_ok());
    }
}
