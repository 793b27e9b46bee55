//! `[shadow]`: what counts as the same answer of a shadow, and how many of them promote it.

use std::collections::BTreeMap;

use septet::pipeline::Tolerance;
use serde::Deserialize;

/// `[shadow]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ShadowSettings {
    tolerance: Option<f64>,
    matches: Option<u64>,
    /// Of single columns.
    columns: BTreeMap<String, f64>,
}

impl ShadowSettings {
    /// What these settings say; `key` is the column that says which row it is.
    pub(crate) fn tolerance(&self, key: Option<String>) -> anyhow::Result<Tolerance> {
        let default = Tolerance::default();
        let tolerance = Tolerance {
            floats: self.tolerance.unwrap_or(default.floats),
            columns: self.columns.clone(),
            key,
            matches: self.matches.unwrap_or(default.matches),
        };
        tolerance.check()?;
        Ok(tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_the_same_has_defaults_and_is_checked() {
        let read = |text: &str| {
            let settings: ShadowSettings = toml::from_str(text).unwrap();
            settings.tolerance(Some("id".to_owned()))
        };
        let default = Tolerance {
            key: Some("id".to_owned()),
            ..Tolerance::default()
        };
        assert_eq!(read("").unwrap(), default);
        let set = read("tolerance = 1e-6\nmatches = 7\ncolumns = { age = 0.5 }").unwrap();
        assert_eq!((set.floats, set.matches), (1e-6, 7));
        assert_eq!(set.columns, [("age".to_owned(), 0.5)].into());
        for (bad, name) in [
            ("tolerance = -1.0", "tolerance"),
            ("tolerance = nan", "tolerance"),
            ("matches = 0", "matches"),
            ("matches = 1001", "matches"),
            ("columns = { age = inf }", "'age'"),
        ] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("[shadow"), "{error}");
        }
    }
}
