//! What a user may set.

use septet_kit::table::RESERVED;
use serde::Deserialize;

/// What is predicted, as a user asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AskedTask {
    /// Found from the target's values.
    #[default]
    Auto,
    /// One of several classes.
    Classification,
    /// A number.
    Regression,
}

/// The stage's parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The column that is predicted.
    pub target: String,
    /// What is predicted.
    #[serde(default)]
    pub task: AskedTask,
    /// Share of the rows that are for the test, above 0 and below 1.
    #[serde(default = "default_test_share")]
    pub test_share: f64,
    /// The column whose value decides on which side of the split a row is; rows with one value
    /// stay together. Without it, the whole row decides.
    #[serde(default)]
    pub key: Option<String>,
    /// Digests of the transforms, in the order in which they are applied.
    #[serde(default)]
    pub transforms: Vec<String>,
}

const fn default_test_share() -> f64 {
    0.2
}

/// Transforms at most.
const MAX_TRANSFORMS: usize = 16;

impl Parameters {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), String> {
        if !(self.test_share > 0.0 && self.test_share < 1.0) {
            return Err(format!(
                "test_share is {}: it is a share above 0 and below 1",
                self.test_share
            ));
        }
        if self.transforms.len() > MAX_TRANSFORMS {
            return Err(format!(
                "there are {} transforms: at most {MAX_TRANSFORMS} are applied",
                self.transforms.len()
            ));
        }
        let key = self.key.as_deref();
        if key == Some(self.target.as_str()) {
            return Err(format!(
                "key is '{}', which is the target: rows can't be split by what is predicted",
                self.target
            ));
        }
        if self.target.starts_with(RESERVED) || key.is_some_and(|key| key.starts_with(RESERVED)) {
            return Err(format!(
                "columns that begin with '{RESERVED}' are neither target nor key"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        let check = |text: &str| serde_json::from_str::<Parameters>(text).unwrap().check();
        assert!(check(r#"{"target":"y"}"#).is_ok());
        assert!(check(r#"{"target":"y","test_share":1}"#).is_err());
        assert!(check(r#"{"target":"y","test_share":0}"#).is_err());
        assert!(check(r#"{"target":"y","key":"y"}"#).is_err());
        assert!(check(r#"{"target":"septet:row"}"#).is_err());
        assert!(serde_json::from_str::<Parameters>("{}").is_err());
    }
}
