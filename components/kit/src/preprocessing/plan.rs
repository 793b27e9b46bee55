//! What was fitted on the train rows. It is data: it goes into the bundle as JSON.

use serde::{Deserialize, Serialize};

use crate::table::{Kind, civil};

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of several classes.
    Classification,
    /// A number.
    Regression,
}

impl Task {
    /// As a user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
        }
    }
}

/// Which train rows a cross-validation must keep together: it cuts as the split for the test does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Folds {
    /// Rows of one unit (equal rows, one key) stay together.
    #[default]
    Rows,
    /// Rows of one unit (a group) stay together.
    Groups,
    /// The unit is a time in microseconds: what is validated on is later than what is learned from.
    Time,
}

/// A raw column that serving needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The column's name.
    pub name: String,
    /// The kind of its values.
    pub kind: Kind,
    /// Whether a row may lack it. Nulls are always filled; this says whether training saw any.
    pub nullable: bool,
}

/// How one column, after the transforms, becomes features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// The column's name.
    pub column: String,
    /// What was fitted.
    pub encoding: Encoding,
}

/// What was fitted on a column of the train rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Encoding {
    /// One feature: `(value - center) / scale`, nulls as `fill`.
    Number {
        /// Stands for a null.
        fill: f64,
        /// Mean, minimum or median after filling, by the scaling that was asked for.
        center: f64,
        /// Population standard deviation, range or interquartile range after filling; 1 without
        /// scaling.
        scale: f64,
        /// Whether a second feature is 1 where the value is a null, and 0 elsewhere.
        indicator: bool,
    },
    /// One feature: 0 or 1, nulls as `fill`.
    Boolean {
        /// Stands for a null: the most frequent value.
        fill: bool,
    },
    /// One feature a category, 1 where the value is that category.
    OneHot(Categories),
    /// One feature: the category's place among the sorted ones, the pooled ones' after the last,
    /// -1 for an unknown value or a null that is not filled.
    Ordinal(Categories),
    /// One feature a part of the moment in UTC, `(part - center) / scale`, 0 for a null.
    Timestamp {
        /// Those that differ in the train rows.
        parts: Vec<ScaledPart>,
        /// Whether a last feature is 1 where the value is a null, and 0 elsewhere.
        indicator: bool,
    },
}

/// The categories of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categories {
    /// Those with a feature or number of their own, sorted.
    pub categories: Vec<String>,
    /// Whether the rarer ones are pooled: in a last feature, or as the number after the last.
    pub other: bool,
    /// The pooled ones, sorted; empty where an unknown value counts as one of them.
    pub rare: Vec<String>,
    /// What becomes of an unknown value.
    pub unknown: Unknown,
    /// Stands for a null. None: no feature is set.
    pub fill: Option<String>,
}

/// What becomes of a value that no train row had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// It sets no feature, or has the number -1.
    #[default]
    Ignore,
    /// It counts as one of the pooled categories, where there are any.
    Other,
    /// Its row can't be used.
    Error,
}

/// Where a category is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The number of its feature.
    At(usize),
    /// Nowhere: no feature is set.
    Nowhere,
    /// Its row can't be used.
    Refused,
}

impl Categories {
    /// Where a value is.
    pub fn place(&self, text: &str) -> Place {
        let among = |texts: &[String]| texts.binary_search_by(|known| known.as_str().cmp(text));
        if let Ok(at) = among(&self.categories) {
            return Place::At(at);
        }
        let pooled = self.other
            && (self.rare.is_empty()
                || self.unknown == Unknown::Other
                || among(&self.rare).is_ok());
        match self.unknown {
            _ if pooled => Place::At(self.categories.len()),
            Unknown::Ignore | Unknown::Other => Place::Nowhere,
            Unknown::Error => Place::Refused,
        }
    }

    /// Where a null is.
    pub fn null(&self) -> Place {
        match self.fill.as_deref().map(|fill| self.place(fill)) {
            Some(Place::At(at)) => Place::At(at),
            _ => Place::Nowhere,
        }
    }

    /// How many differ: the categories, and the pool.
    pub fn width(&self) -> usize {
        self.categories
            .len()
            .saturating_add(usize::from(self.other))
    }
}

/// A part of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// As of the Gregorian calendar.
    Year,
    /// From 1.
    Month,
    /// From 0, which is Monday.
    Weekday,
    /// From 0 to 23.
    Hour,
}

impl Part {
    /// All of them, in the features' order.
    pub const ALL: [Self; 4] = [Self::Year, Self::Month, Self::Weekday, Self::Hour];

    /// As the feature's name ends.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
        }
    }

    /// Of a moment in microseconds since 1970, in UTC.
    pub const fn of(self, microseconds: i64) -> f64 {
        let civil = civil(microseconds);
        (match self {
            Self::Year => civil.year,
            Self::Month => civil.month,
            Self::Weekday => civil.weekday,
            Self::Hour => civil.hour,
        }) as f64
    }
}

/// A part of a moment, scaled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaledPart {
    /// Which.
    pub part: Part,
    /// Its mean.
    pub center: f64,
    /// Its population standard deviation, a null counting as the mean.
    pub scale: f64,
}

/// All that turns raw rows into what a model takes, and its answer into labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// What is predicted.
    pub task: Task,
    /// The raw column that is predicted.
    pub target: String,
    /// Sorted labels; empty for regression.
    pub classes: Vec<String>,
    /// Train rows of each class.
    pub class_counts: Vec<u64>,
    /// Mean of the target over the train rows; 0 for classification.
    pub target_mean: f64,
    /// Of two classes, the one that is looked for; none of more classes, or for regression.
    pub positive: Option<String>,
    /// Which train rows a cross-validation must keep together.
    pub folds: Folds,
    /// Whether the train table has weights.
    pub weighted: bool,
    /// Raw columns that serving needs.
    pub inputs: Vec<Input>,
    /// Digests of the transforms, in the order in which they are applied.
    pub transforms: Vec<String>,
    /// How the columns, after the transforms, become features; in order.
    pub columns: Vec<Fitted>,
    /// Names of the features, in order.
    pub features: Vec<String>,
}

impl Fitted {
    /// How many features it gives.
    pub fn width(&self) -> usize {
        match &self.encoding {
            Encoding::Number { indicator, .. } => 1 + usize::from(*indicator),
            Encoding::Boolean { .. } | Encoding::Ordinal(_) => 1,
            Encoding::OneHot(categories) => categories.width(),
            Encoding::Timestamp { parts, indicator } => {
                parts.len().saturating_add(usize::from(*indicator))
            }
        }
    }

    /// Names of the features, as scikit-learn's `get_feature_names_out` gives them.
    pub fn names(&self) -> Vec<String> {
        let column = &self.column;
        let missing = |indicator: bool| indicator.then(|| format!("missingindicator_{column}"));
        match &self.encoding {
            Encoding::Boolean { .. } | Encoding::Ordinal(_) => vec![column.clone()],
            Encoding::Number { indicator, .. } => std::iter::once(column.clone())
                .chain(missing(*indicator))
                .collect(),
            Encoding::OneHot(known) => known
                .categories
                .iter()
                .map(|category| format!("{column}_{category}"))
                .chain(known.other.then(|| format!("{column}_septet:other")))
                .collect(),
            Encoding::Timestamp { parts, indicator } => parts
                .iter()
                .map(|scaled| format!("{column}_{}", scaled.part.name()))
                .chain(missing(*indicator))
                .collect(),
        }
    }
}
