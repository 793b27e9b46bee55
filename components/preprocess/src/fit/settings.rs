//! What a user may set of imputation, scaling and encoding.

use septet_kit::preprocessing::Unknown;
use serde::Deserialize;
use serde_json::Value;

/// Features of a category column, the pooled one included, where a user says nothing.
const MAX_CATEGORIES: u32 = 50;

/// What stands for a null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impute {
    /// Of numbers.
    Mean,
    /// Of numbers.
    Median,
    /// The smallest of the most frequent values.
    MostFrequent,
    /// The value that is set.
    Constant,
    /// Of categories: nothing does, and no feature is set.
    None,
}

/// How numbers are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Mean 0, standard deviation 1.
    #[default]
    Standard,
    /// From 0 to 1.
    MinMax,
    /// Median 0, interquartile range 1.
    Robust,
    /// As they are.
    None,
}

/// How categories become features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encode {
    /// One feature a category.
    #[default]
    OneHot,
    /// One feature: the category's number.
    Ordinal,
}

/// Of columns of numbers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberSettings {
    /// What stands for a null: the mean where nothing is set.
    #[serde(default)]
    pub impute: Option<Impute>,
    /// What the imputation `constant` takes: 0 where nothing is set.
    #[serde(default)]
    pub fill_value: Option<f64>,
    /// Whether a feature tells where values lack, where train rows lack some.
    #[serde(default)]
    pub indicator: bool,
    /// How they are scaled.
    #[serde(default)]
    pub scale: Scale,
}

/// Of columns of categories and texts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategorySettings {
    /// What stands for a null: the most frequent value where nothing is set.
    #[serde(default)]
    pub impute: Option<Impute>,
    /// What the imputation `constant` takes: `missing_value` where nothing is set.
    #[serde(default)]
    pub fill_value: Option<String>,
    /// How they become features.
    #[serde(default)]
    pub encode: Encode,
    /// Categories at most, the pooled one included: 50 where nothing is set.
    #[serde(default)]
    pub max_categories: Option<u32>,
    /// What becomes of an unknown one.
    #[serde(default)]
    pub unknown: Unknown,
}

/// Of one column: the settings of its kind, each of which goes before those of all columns.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSettings {
    /// Of every kind.
    #[serde(default)]
    pub impute: Option<Impute>,
    /// Of every kind: a number, a text or a boolean.
    #[serde(default)]
    pub fill_value: Option<Value>,
    /// Of numbers and timestamps.
    #[serde(default)]
    pub indicator: Option<bool>,
    /// Of numbers.
    #[serde(default)]
    pub scale: Option<Scale>,
    /// Of categories.
    #[serde(default)]
    pub encode: Option<Encode>,
    /// Of categories.
    #[serde(default)]
    pub max_categories: Option<u32>,
    /// Of categories.
    #[serde(default)]
    pub unknown: Option<Unknown>,
}

fn imputed(impute: Option<Impute>, filled: bool) -> Result<(), String> {
    if filled && impute != Some(Impute::Constant) {
        return Err("fill_value is of the imputation 'constant'".to_owned());
    }
    Ok(())
}

impl NumberSettings {
    /// Whether the settings fit each other.
    pub fn check(&self) -> Result<(), String> {
        if self.impute == Some(Impute::None) {
            return Err(
                "numbers are imputed by mean, median, most-frequent or constant".to_owned(),
            );
        }
        if self.fill_value.is_some_and(|value| !value.is_finite()) {
            return Err("fill_value is a finite number".to_owned());
        }
        imputed(self.impute, self.fill_value.is_some())
    }

    /// These, with those of one column before them.
    pub fn with(&self, column: Option<&ColumnSettings>) -> Result<Self, String> {
        let Some(column) = column else {
            return Ok(self.clone());
        };
        column.only_numbers()?;
        let fill_value = match &column.fill_value {
            Some(value) => Some(value.as_f64().ok_or("its fill_value is a number")?),
            None if column.impute.is_some() => None,
            None => self.fill_value,
        };
        let settings = Self {
            impute: column.impute.or(self.impute),
            fill_value,
            indicator: column.indicator.unwrap_or(self.indicator),
            scale: column.scale.unwrap_or(self.scale),
        };
        settings.check()?;
        Ok(settings)
    }
}

impl CategorySettings {
    /// Whether the settings fit each other.
    pub fn check(&self) -> Result<(), String> {
        if matches!(self.impute, Some(Impute::Mean | Impute::Median)) {
            return Err("categories are imputed by most-frequent, constant or none".to_owned());
        }
        if self.max_categories == Some(0) {
            return Err("max_categories is 0: it is 1 or more".to_owned());
        }
        imputed(self.impute, self.fill_value.is_some())
    }

    /// Categories at most, the pooled one included.
    pub fn most(&self) -> usize {
        self.max_categories.unwrap_or(MAX_CATEGORIES) as usize
    }

    /// These, with those of one column before them.
    pub fn with(&self, column: Option<&ColumnSettings>) -> Result<Self, String> {
        let Some(column) = column else {
            return Ok(self.clone());
        };
        if column.scale.is_some() || column.indicator.is_some() {
            return Err("scale and indicator are of numbers, and it has texts".to_owned());
        }
        let fill_value = match &column.fill_value {
            Some(value) => Some(value.as_str().ok_or("its fill_value is a text")?.to_owned()),
            None if column.impute.is_some() => None,
            None => self.fill_value.clone(),
        };
        let settings = Self {
            impute: column.impute.or(self.impute),
            fill_value,
            encode: column.encode.unwrap_or(self.encode),
            max_categories: column.max_categories.or(self.max_categories),
            unknown: column.unknown.unwrap_or(self.unknown),
        };
        settings.check()?;
        Ok(settings)
    }
}

impl ColumnSettings {
    /// Whether the settings are of one kind.
    pub fn check(&self) -> Result<(), String> {
        if self.scale.is_some() || self.indicator.is_some() {
            self.only_numbers()?;
        }
        if self.max_categories == Some(0) {
            return Err("max_categories is 0: it is 1 or more".to_owned());
        }
        imputed(self.impute, self.fill_value.is_some())
    }

    fn only_numbers(&self) -> Result<(), String> {
        if self.encode.is_some() || self.max_categories.is_some() || self.unknown.is_some() {
            return Err(
                "encode, max_categories and unknown are of texts, not of numbers".to_owned(),
            );
        }
        Ok(())
    }

    /// What stands for a null of booleans; none where it is the most frequent value.
    pub fn boolean(&self) -> Result<Option<bool>, String> {
        self.only_numbers()?;
        if self.scale.is_some() || self.indicator.is_some() {
            return Err("it has booleans, which have impute and fill_value only".to_owned());
        }
        match (self.impute, &self.fill_value) {
            (None | Some(Impute::MostFrequent), None) => Ok(None),
            (Some(Impute::Constant), value) => {
                let value = value.as_ref().map_or(Some(false), Value::as_bool);
                Ok(Some(value.ok_or("its fill_value is true or false")?))
            }
            _ => Err("booleans are imputed by most-frequent or constant".to_owned()),
        }
    }

    /// Whether a column of timestamps has an indicator.
    pub fn timestamp(&self) -> Result<Option<bool>, String> {
        self.only_numbers()?;
        if self.scale.is_some() || self.impute.is_some() {
            return Err("it has timestamps, which have indicator only".to_owned());
        }
        Ok(self.indicator)
    }
}
