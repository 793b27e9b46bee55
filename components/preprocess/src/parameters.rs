//! What a user may set.

use std::collections::BTreeMap;

use septet_kit::{show::shown, split::Rule, table::RESERVED};
use serde::Deserialize;

use crate::{
    fit::settings::{CategorySettings, ColumnSettings, NumberSettings},
    window::Span,
};

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

/// Which rows are for the test, as a user asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AskedSplit {
    /// By hash of the key, else of the whole row.
    #[default]
    Hash,
    /// Whole groups.
    Group,
    /// Later rows.
    Time,
    /// Those of files of their own.
    File,
}

impl AskedSplit {
    /// As a user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Group => "group",
            Self::Time => "time",
            Self::File => "file",
        }
    }
}

/// How classes are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeight {
    /// Each class as much as every other.
    Balanced,
}

/// The stage's parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The column that is predicted.
    pub target: String,
    /// What is predicted.
    #[serde(default)]
    pub task: AskedTask,
    /// Which rows are for the test; fixed by the first version of a model name. None: as it is
    /// pinned, else whole groups where their column is named, else by hash.
    #[serde(default)]
    pub split: Option<AskedSplit>,
    /// The column of the groups of the split `group`.
    #[serde(default)]
    pub group: Option<String>,
    /// The column of the split `time` and of the window.
    #[serde(default)]
    pub time: Option<String>,
    /// The column that says which rows are one and the same: of the splits `hash` and `file`.
    /// Without it, equal rows are.
    #[serde(default)]
    pub key: Option<String>,
    /// Share of the rows that is for the test, above 0 and below 1; fixed by the first version.
    #[serde(default)]
    pub test_share: Option<f64>,
    /// How far back from the newest row rows are taken.
    #[serde(default)]
    pub window: Option<Span>,
    /// Of two classes, the one that is looked for; without it, the rarer one.
    #[serde(default)]
    pub positive: Option<String>,
    /// The column of the rows' weights.
    #[serde(default)]
    pub weight: Option<String>,
    /// How classes are weighed; without it, as they come.
    #[serde(default)]
    pub class_weight: Option<ClassWeight>,
    /// Columns that are left out.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Digests of the transforms, in the order in which they are applied.
    #[serde(default)]
    pub transforms: Vec<String>,
    /// Of all columns of numbers.
    #[serde(default)]
    pub numbers: NumberSettings,
    /// Of all columns of texts and categories.
    #[serde(default)]
    pub categories: CategorySettings,
    /// Of single columns, after the transforms.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnSettings>,
}

/// Transforms at most.
const MAX_TRANSFORMS: usize = 16;

impl Parameters {
    /// Checks what does not depend on the data.
    pub fn check(&self) -> Result<(), String> {
        if let Some(share) = self.test_share
            && !(share > 0.0 && share < 1.0)
        {
            return Err(format!(
                "test_share is {share}: it is a share above 0 and below 1"
            ));
        }
        if self.transforms.len() > MAX_TRANSFORMS {
            return Err(format!(
                "there are {} transforms: at most {MAX_TRANSFORMS} are applied",
                self.transforms.len()
            ));
        }
        let is = |split| self.kind() == split;
        for (split, name, column) in [
            (AskedSplit::Group, "group", &self.group),
            (AskedSplit::Time, "time", &self.time),
        ] {
            if is(split) && column.is_none() {
                return Err(format!("the split '{name}' needs the column: set {name}"));
            }
        }
        if self.group.is_some() && !is(AskedSplit::Group) {
            return Err("group is set but the split is not 'group'".to_owned());
        }
        if self.window.is_some() && self.time.is_none() {
            return Err("a window needs the column of the time: set time".to_owned());
        }
        for (name, column) in self.roles() {
            if *column == self.target {
                return Err(format!(
                    "{name} is '{}', which is the target: it can't be both",
                    shown(column, 80)
                ));
            }
        }
        let named = self.roles().map(|(_, column)| column);
        if let Some(name) = named
            .chain([&self.target])
            .find(|name| name.starts_with(RESERVED))
        {
            return Err(format!(
                "'{}' can't be used: columns that begin with '{RESERVED}' are reserved",
                shown(name, 80)
            ));
        }
        self.numbers.check()?;
        self.categories.check()?;
        for (name, settings) in &self.columns {
            settings
                .check()
                .map_err(|reason| format!("column '{}': {reason}", shown(name, 80)))?;
        }
        Ok(())
    }

    /// Which rows are for the test.
    pub fn kind(&self) -> AskedSplit {
        let unsaid = if self.group.is_some() {
            AskedSplit::Group
        } else {
            AskedSplit::Hash
        };
        self.split.unwrap_or(unsaid)
    }

    /// Fills in what was not asked for from the split that is pinned, so that a later version need
    /// not name it again. What was asked for stays, and is refused later where it is another.
    pub fn follow(&mut self, pinned: &Rule) {
        let kind = match pinned {
            Rule::Rows { .. } | Rule::Key { .. } => AskedSplit::Hash,
            Rule::Group { .. } => AskedSplit::Group,
            Rule::Time { .. } => AskedSplit::Time,
            Rule::File { .. } => AskedSplit::File,
        };
        if self.split.is_none() && (self.group.is_none() || kind == AskedSplit::Group) {
            self.split = Some(kind);
        }
        if self.kind() == kind && self.column().is_none() {
            let column = pinned.column().map(ToOwned::to_owned);
            match kind {
                AskedSplit::Hash | AskedSplit::File => self.key = column,
                AskedSplit::Group => self.group = column,
                AskedSplit::Time => self.time = column,
            }
        }
    }

    /// Columns that are named for something else than to learn from, with the parameter's name.
    pub fn roles(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("key", &self.key),
            ("group", &self.group),
            ("time", &self.time),
            ("weight", &self.weight),
        ]
        .into_iter()
        .filter_map(|(name, column)| column.as_ref().map(|column| (name, column)))
        .chain(self.drop.iter().map(|column| ("drop", column)))
    }

    /// The column that decides the split and the parameter that names it, where it is one.
    pub fn column(&self) -> Option<(&'static str, &str)> {
        let (name, column) = match self.kind() {
            AskedSplit::Hash | AskedSplit::File => ("key", &self.key),
            AskedSplit::Group => ("group", &self.group),
            AskedSplit::Time => ("time", &self.time),
        };
        column.as_deref().map(|column| (name, column))
    }

    /// The split that is asked for, in a sentence, as `Rule::told` says it of the pinned one.
    pub fn told(&self) -> String {
        let column = shown(self.column().map_or("", |(_, name)| name), 80);
        match (self.kind(), self.key.is_some()) {
            (AskedSplit::Hash, false) => "by hash of the whole row".to_owned(),
            (AskedSplit::Hash, true) => format!("by hash of the key '{column}'"),
            (AskedSplit::Group, _) => format!("by group '{column}'"),
            (AskedSplit::Time, _) => format!("by time '{column}'"),
            (AskedSplit::File, false) => "by a test file".to_owned(),
            (AskedSplit::File, true) => format!("by a test file with the key '{column}'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        let check = |text: &str| {
            let parameters: Result<Parameters, _> = serde_json::from_str(text);
            parameters
                .map_err(|error| error.to_string())
                .and_then(|parameters| parameters.check())
        };
        assert!(check(r#"{"target":"y"}"#).is_ok());
        assert!(
            check(
                r#"{"target":"y","split":"time","time":"at","window":"90d","class_weight":"balanced","drop":["a"],"numbers":{"impute":"median","scale":"robust"},"categories":{"encode":"ordinal"},"columns":{"a":{"impute":"constant","fill_value":3}}}"#
            )
            .is_ok()
        );
        for (text, told) in [
            ("{}", "target"),
            (r#"{"target":"y","test_share":1}"#, "test_share is 1"),
            (r#"{"target":"y","test_share":0}"#, "test_share is 0"),
            (r#"{"target":"y","key":"y"}"#, "key is 'y'"),
            (r#"{"target":"y","drop":["y"]}"#, "drop is 'y'"),
            (r#"{"target":"septet:row"}"#, "reserved"),
            (r#"{"target":"y","split":"group"}"#, "set group"),
            (r#"{"target":"y","split":"time"}"#, "set time"),
            (
                r#"{"target":"y","split":"hash","group":"g"}"#,
                "not 'group'",
            ),
            (r#"{"target":"y","window":"9d"}"#, "set time"),
            (r#"{"target":"y","time":"t","window":"9 days"}"#, "9 days"),
            (
                r#"{"target":"y","columns":{"a":{"encode":"one-hot","scale":"none"}}}"#,
                "column 'a'",
            ),
        ] {
            let reason = check(text).unwrap_err();
            assert!(reason.contains(told), "{text}: {reason}");
        }
    }

    #[test]
    fn what_is_pinned_need_not_be_asked_again() {
        let followed = |asked: &str, pinned: &Rule| {
            let mut parameters: Parameters = serde_json::from_str(asked).unwrap();
            parameters.follow(pinned);
            (
                parameters.kind(),
                parameters.column().map(|(_, c)| c.to_owned()),
            )
        };
        let group = Rule::Group {
            column: "g".to_owned(),
            salt: 0,
            threshold: 1,
        };
        let key = Rule::Key {
            column: "id".to_owned(),
            salt: 0,
            threshold: 1,
        };
        let g = Some("g".to_owned());
        assert_eq!(
            followed(r#"{"target":"y"}"#, &group),
            (AskedSplit::Group, g)
        );
        let id = Some("id".to_owned());
        for asked in [r#"{"target":"y"}"#, r#"{"target":"y","split":"hash"}"#] {
            assert_eq!(followed(asked, &key), (AskedSplit::Hash, id.clone()));
        }
        // What was asked for stays.
        let asked = r#"{"target":"y","key":"other"}"#;
        assert_eq!(
            followed(asked, &key),
            (AskedSplit::Hash, Some("other".to_owned()))
        );
        let asked = r#"{"target":"y","group":"h"}"#;
        assert_eq!(
            followed(asked, &key),
            (AskedSplit::Group, Some("h".to_owned()))
        );
    }
}
