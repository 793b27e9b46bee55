//! Hyper-parameters: checked by name and range before any work.
//!
//! A value may be a JSON number or, as it comes from a command line, its text.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

/// Values by name, as the bundle records them.
pub type Values = BTreeMap<String, Value>;

/// A hyper-parameter that an algorithm knows.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As scikit-learn names it, where it does.
    pub name: &'static str,
    /// What it may be, and what it is where the user says nothing.
    pub range: Range,
}

/// What a hyper-parameter may be.
#[derive(Clone, Copy, Debug)]
pub enum Range {
    /// A number in `least..=greatest`.
    Number {
        /// Where the user says nothing.
        default: f64,
        /// Inclusive.
        least: f64,
        /// Inclusive.
        greatest: f64,
    },
    /// A whole number in `least..=greatest`.
    Whole {
        /// Where the user says nothing; none is written `none`.
        default: Option<u32>,
        /// Inclusive.
        least: u32,
        /// Inclusive.
        greatest: u32,
    },
    /// How many features a split may choose from: `sqrt`, `log2`, `all`, a share below 1, or a
    /// whole number.
    Features {
        /// Where the user says nothing.
        default: &'static str,
    },
    /// One of some words.
    Choice {
        /// The first one is the default.
        words: &'static [&'static str],
    },
}

impl Setting {
    /// A number.
    pub(crate) const fn number(
        name: &'static str,
        default: f64,
        least: f64,
        greatest: f64,
    ) -> Self {
        let range = Range::Number {
            default,
            least,
            greatest,
        };
        Self { name, range }
    }

    /// A whole number; none is written `none`.
    pub(crate) const fn whole(
        name: &'static str,
        default: Option<u32>,
        least: u32,
        greatest: u32,
    ) -> Self {
        let range = Range::Whole {
            default,
            least,
            greatest,
        };
        Self { name, range }
    }
}

/// Checked hyper-parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(Values);

impl Settings {
    /// Checks what the user gave against what `algorithm` knows and fills in the defaults.
    pub fn check(algorithm: &str, known: &[Setting], given: &Values) -> Result<Self, String> {
        for name in given.keys() {
            if !known.iter().any(|setting| setting.name == name) {
                return Err(unknown(algorithm, known, name));
            }
        }
        let mut values = Values::new();
        for setting in known {
            let value = match given.get(setting.name) {
                None => setting.range.default(),
                Some(value) => setting.range.read(value).ok_or_else(|| {
                    let shown: String = value.to_string().chars().take(60).collect();
                    format!(
                        "parameter '{}' of {algorithm} can't be {shown}: it takes {}",
                        setting.name,
                        setting.range.text()
                    )
                })?,
            };
            values.insert(setting.name.to_owned(), value);
        }
        Ok(Self(values))
    }

    /// For the bundle.
    pub const fn values(&self) -> &Values {
        &self.0
    }

    /// A number; 0 where the algorithm has none of this name.
    pub fn number(&self, name: &str) -> f64 {
        self.0.get(name).and_then(Value::as_f64).unwrap_or_default()
    }

    /// A whole number; none where it is `none`.
    pub fn whole(&self, name: &str) -> Option<u32> {
        let value = self.0.get(name).and_then(Value::as_u64);
        value.and_then(|value| value.try_into().ok())
    }

    /// Whether it is this word.
    pub fn is(&self, name: &str, word: &str) -> bool {
        self.0.get(name).and_then(Value::as_str) == Some(word)
    }

    /// How many of `columns` features a split may choose from: at least one.
    pub fn features(&self, name: &str, columns: usize) -> usize {
        let all = columns as f64;
        let count = match self.0.get(name) {
            Some(Value::String(text)) if text == "sqrt" => all.sqrt(),
            Some(Value::String(text)) if text == "log2" => all.log2(),
            Some(Value::Number(number)) => match number.as_f64() {
                Some(share) if share < 1.0 => share * all,
                Some(count) => count,
                None => all,
            },
            _ => all,
        };
        (count as usize).clamp(1, columns.max(1))
    }
}

impl Range {
    fn default(self) -> Value {
        match self {
            Self::Number { default, .. } => Value::from(default),
            Self::Whole { default, .. } => default.map_or(Value::Null, Value::from),
            Self::Features { default } => Value::from(default),
            Self::Choice { words } => words.first().copied().map_or(Value::Null, Value::from),
        }
    }

    /// The value in its one spelling; none if it is not in the range.
    fn read(self, value: &Value) -> Option<Value> {
        let text = value.as_str().map(str::trim);
        let number = match text {
            Some(text) => text.parse().ok(),
            None => value.as_f64(),
        }
        .filter(|number: &f64| number.is_finite());
        match self {
            Self::Number {
                least, greatest, ..
            } => number
                .filter(|number| (least..=greatest).contains(number))
                .map(Value::from),
            Self::Whole {
                default,
                least,
                greatest,
            } => {
                let none = value.is_null() || text.is_some_and(|t| t.eq_ignore_ascii_case("none"));
                if none && default.is_none() {
                    return Some(Value::Null);
                }
                whole(number?)
                    .filter(|whole| (least..=greatest).contains(whole))
                    .map(Value::from)
            }
            Self::Features { .. } => match (text, number) {
                (Some(name @ ("sqrt" | "log2" | "all")), _) => Some(Value::from(name)),
                (_, Some(share)) if share > 0.0 && share < 1.0 => {
                    Number::from_f64(share).map(Value::Number)
                }
                (_, Some(count)) => whole(count).filter(|count| *count > 0).map(Value::from),
                _ => None,
            },
            Self::Choice { words } => text.filter(|text| words.contains(text)).map(Value::from),
        }
    }

    /// What a message says of it.
    fn text(self) -> String {
        match self {
            Self::Number {
                least, greatest, ..
            } => format!("a number from {least} to {greatest}"),
            Self::Whole {
                default,
                least,
                greatest,
            } => {
                let none = if default.is_none() { ", or none" } else { "" };
                format!("a whole number from {least} to {greatest}{none}")
            }
            Self::Features { .. } => {
                "sqrt, log2, all, a share between 0 and 1, or a whole number".to_owned()
            }
            Self::Choice { words } => words.join(" or "),
        }
    }
}

fn unknown(algorithm: &str, known: &[Setting], name: &str) -> String {
    let shown: String = name.chars().take(60).collect();
    let names: Vec<_> = known.iter().map(|setting| setting.name).collect();
    let known = match &names[..] {
        [] => "it has none".to_owned(),
        names => format!("it knows {}", names.join(", ")),
    };
    format!(
        "{algorithm} has no parameter '{}': {known}",
        shown.escape_debug()
    )
}

/// A float that is a whole number.
fn whole(number: f64) -> Option<u32> {
    let fits = number.fract() == 0.0 && number >= 0.0 && number <= f64::from(u32::MAX);
    fits.then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: [Setting; 4] = [
        Setting::number("C", 1.0, 1e-10, 1e10),
        Setting::whole("max_depth", None, 1, 100),
        Setting {
            name: "max_features",
            range: Range::Features { default: "sqrt" },
        },
        Setting {
            name: "weights",
            range: Range::Choice {
                words: &["uniform", "distance"],
            },
        },
    ];

    fn check(given: Value) -> Result<Settings, String> {
        Settings::check("x", &KNOWN, &serde_json::from_value(given).unwrap())
    }

    #[test]
    fn defaults_are_filled_in() {
        let settings = check(json!({})).unwrap();
        assert!((settings.number("C") - 1.0).abs() < 1e-12);
        assert_eq!(settings.whole("max_depth"), None);
        assert_eq!(settings.features("max_features", 30), 5);
        assert!(settings.is("weights", "uniform"));
    }

    #[test]
    fn texts_are_taken_as_numbers() {
        let texts = check(json!({"C": "0.5", "max_depth": "7", "max_features": "0.5"})).unwrap();
        let numbers = check(json!({"C": 0.5, "max_depth": 7.0, "max_features": 0.5})).unwrap();
        assert_eq!(texts, numbers);
        assert_eq!(texts.whole("max_depth"), Some(7));
        assert_eq!(texts.features("max_features", 30), 15);
        let none = check(json!({"max_depth": "None"})).unwrap();
        assert_eq!(none.whole("max_depth"), None);
    }

    #[test]
    fn features_are_at_least_one_and_at_most_all() {
        let count = |given| {
            check(json!({"max_features": given}))
                .unwrap()
                .features("max_features", 4)
        };
        assert_eq!(count(json!("log2")), 2);
        assert_eq!(count(json!("all")), 4);
        assert_eq!(count(json!(9)), 4);
        assert_eq!(count(json!(0.01)), 1);
    }

    #[test]
    fn what_is_not_known_or_out_of_range_is_told() {
        assert_eq!(
            check(json!({"c": 1})).unwrap_err(),
            "x has no parameter 'c': it knows C, max_depth, max_features, weights"
        );
        assert_eq!(
            check(json!({"max_depth": 0})).unwrap_err(),
            "parameter 'max_depth' of x can't be 0: it takes a whole number from 1 to 100, or none"
        );
        assert_eq!(
            check(json!({"weights": "equal"})).unwrap_err(),
            "parameter 'weights' of x can't be \"equal\": it takes uniform or distance"
        );
        assert!(check(json!({"C": "NaN"})).is_err());
        assert!(check(json!({"C": 0})).is_err());
        assert!(check(json!({"C": [1]})).is_err());
        assert!(check(json!({"max_depth": 1.5})).is_err());
        assert!(check(json!({"max_features": "some"})).is_err());
        assert!(check(json!({"max_features": -1})).is_err());
    }
}
