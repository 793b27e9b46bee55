//! All columns, and those that are left out.

use std::collections::{BTreeMap, BTreeSet};

use septet_kit::{
    preprocessing::{Encoding, Fitted},
    show::shown,
    table::{Column, Table, Values},
};

use super::{
    category, moment, number,
    settings::{ColumnSettings, Impute},
};
use crate::{notes::listed, parameters::Parameters, target::find};

/// Distinct texts, at most, that are always taken as categories.
const FEW: usize = 10;

/// Characters of a text, on average, from which it is free text.
const LONG: usize = 100;

/// Columns that a sentence each is said of at most.
const TOLD: usize = 10;

/// What was fitted, and what a reader should know of it.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order of the table.
    pub columns: Vec<Fitted>,
    /// Names of the features, all different.
    pub features: Vec<String>,
    /// Sentences.
    pub notes: Vec<String>,
}

/// Why a column is no feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dropped {
    Empty,
    Constant,
    Identifier,
    FreeText,
}

impl Dropped {
    const fn told(self) -> &'static str {
        match self {
            Self::Empty => "without any value in the train rows",
            Self::Constant => "with one value only in the train rows",
            Self::Identifier => "which identify rows",
            Self::FreeText => "of free text",
        }
    }
}

/// Fits every column of `train`; those that can't help to predict are left out with a note.
pub fn fit(train: &Table, parameters: &Parameters) -> Result<Plan, String> {
    for name in parameters.columns.keys() {
        find(train, "name in columns", name)?;
    }
    let mut plan = Plan::default();
    let mut dropped: BTreeMap<Dropped, Vec<&str>> = BTreeMap::new();
    let mut told = Vec::new();
    for column in &train.columns {
        let own = parameters.columns.get(&column.name);
        let fitted = encoding(column, train, parameters, own)
            .map_err(|reason| format!("column '{}' {reason}", shown(&column.name, 80)))?;
        match fitted {
            Ok((encoding, notes)) => {
                for note in notes {
                    told.push(format!("column '{}': {note}", shown(&column.name, 80)));
                }
                plan.columns.push(Fitted {
                    column: column.name.clone(),
                    encoding,
                });
            }
            Err(reason) => dropped.entry(reason).or_default().push(&column.name),
        }
    }
    let more = told.len().saturating_sub(TOLD);
    plan.notes.extend(told.into_iter().take(TOLD));
    if more > 0 {
        plan.notes.push(format!("{more} more notes like these"));
    }
    for (reason, names) in &dropped {
        plan.notes.push(format!(
            "left out, columns {}: {}",
            reason.told(),
            listed(names.iter().copied())
        ));
    }
    if plan.columns.is_empty() {
        return Err(format!(
            "no feature is left: {}",
            if dropped.is_empty() {
                "the target is the only column".to_owned()
            } else {
                plan.notes.join("; ")
            }
        ));
    }
    plan.features = names(&plan.columns)?;
    Ok(plan)
}

/// Names of all features; one that comes again gets a number.
fn names(columns: &[Fitted]) -> Result<Vec<String>, String> {
    // The train table has the unit, the weight and the target beside them.
    const MAX: usize = septet_kit::arrow::MAX_COLUMNS - 3;
    let width: usize = columns.iter().map(Fitted::width).sum();
    if width > MAX {
        return Err(format!(
            "there are {width} features: at most {MAX} are taken, so leave columns out or pool \
             more categories (max_categories)"
        ));
    }
    let mut used = BTreeSet::new();
    let mut all = Vec::with_capacity(width);
    for name in columns.iter().flat_map(Fitted::names) {
        let mut unique = name.clone();
        let mut number = 2;
        while !used.insert(unique.clone()) {
            unique = format!("{name}_{number}");
            number += 1;
        }
        all.push(unique);
    }
    Ok(all)
}

type Found = Result<(Encoding, Vec<String>), Dropped>;

/// How a column is encoded, with what is to be said of it, or why it is left out. An error goes on
/// after the column's name.
fn encoding(
    column: &Column,
    train: &Table,
    parameters: &Parameters,
    own: Option<&ColumnSettings>,
) -> Result<Found, String> {
    let wrong = |reason: String| format!("has settings that do not fit: {reason}");
    let lacking = column.nulls.len();
    let filled = |with: &str| {
        let told = format!(
            "lacks {lacking} of {} values in the train rows: {with}",
            train.rows
        );
        (lacking > 0).then_some(told)
    };
    if lacking == train.rows {
        return Ok(Err(Dropped::Empty));
    }
    match &column.values {
        Values::Floats(_) | Values::Integers(_) => {
            let settings = parameters.numbers.with(own).map_err(wrong)?;
            let numbers = column.numbers().unwrap_or_default();
            let infinite = |number: &Option<f64>| number.is_some_and(f64::is_infinite);
            if let Some(row) = numbers.iter().position(infinite) {
                return Err(format!("is infinite in row {}", train.line(row)));
            }
            if numbers.iter().all(Option::is_none) {
                return Ok(Err(Dropped::Empty));
            }
            if identifies(column) {
                return Ok(Err(Dropped::Identifier));
            }
            Ok(match number::encoding(&numbers, &settings)? {
                Some(encoding) => {
                    let with = match settings.impute.unwrap_or(Impute::Mean) {
                        Impute::Mean | Impute::None => "filled with the mean",
                        Impute::Median => "filled with the median",
                        Impute::MostFrequent => "filled with the most frequent value",
                        Impute::Constant => "filled with the constant",
                    };
                    Ok((encoding, filled(with).into_iter().collect()))
                }
                None => Err(Dropped::Constant),
            })
        }
        Values::Timestamps(_) => {
            let indicator = own
                .map_or(Ok(None), ColumnSettings::timestamp)
                .map_err(wrong)?;
            let indicator = indicator.unwrap_or(parameters.numbers.indicator);
            Ok(match moment::encoding(column, indicator) {
                Some(encoding) => Ok((
                    encoding,
                    filled("filled with the mean of each part")
                        .into_iter()
                        .collect(),
                )),
                None => Err(Dropped::Constant),
            })
        }
        Values::Booleans(values) => {
            let fill = own
                .map_or(Ok(None), ColumnSettings::boolean)
                .map_err(wrong)?;
            Ok(boolean(column, values, fill).map(|(encoding, fill)| {
                let with = format!("filled with {fill}");
                (encoding, filled(&with).into_iter().collect())
            }))
        }
        Values::Texts(_) | Values::Categories { .. } => {
            let settings = parameters.categories.with(own).map_err(wrong)?;
            let counts = category::counts(column);
            if let Some(reason) = no_category(&counts) {
                return Ok(Err(reason));
            }
            let with = match settings.impute.unwrap_or(Impute::MostFrequent) {
                Impute::None => "nothing stands for them",
                Impute::Constant => "filled with the constant",
                _ => "filled with the most frequent value",
            };
            Ok(match category::encoding(counts, lacking, &settings) {
                (Some(encoding), note) => {
                    Ok((encoding, filled(with).into_iter().chain(note).collect()))
                }
                (None, _) => Err(Dropped::Constant),
            })
        }
    }
}

/// Whether whole numbers are those of the rows: all different, and named so.
fn identifies(column: &Column) -> bool {
    let Values::Integers(values) = &column.values else {
        return false;
    };
    let name = column.name.trim().to_lowercase();
    let named = [
        "id",
        "index",
        "idx",
        "uuid",
        "row",
        "rowid",
        "row_number",
        "unnamed: 0",
    ]
    .contains(&name.as_str())
        || ["_id", " id", "-id", ".id"]
            .iter()
            .any(|end| name.ends_with(end))
        || column.name.ends_with("Id")
        || column.name.ends_with("ID");
    let distinct = || values.iter().collect::<BTreeSet<_>>().len();
    named && column.nulls.is_empty() && distinct() == values.len()
}

fn boolean(
    column: &Column,
    values: &[bool],
    fill: Option<bool>,
) -> Result<(Encoding, bool), Dropped> {
    let (mut yes, mut no) = (0_usize, 0_usize);
    for (value, null) in values.iter().zip(column.null_mask()) {
        if !null {
            *(if *value { &mut yes } else { &mut no }) += 1;
        }
    }
    let fill = fill.unwrap_or(yes > no);
    *(if fill { &mut yes } else { &mut no }) += column.nulls.len();
    if yes == 0 || no == 0 {
        return Err(Dropped::Constant);
    }
    Ok((Encoding::Boolean { fill }, fill))
}

/// Why texts are no categories; none where they are.
fn no_category(counts: &BTreeMap<&str, usize>) -> Option<Dropped> {
    let there: usize = counts.values().sum();
    let characters: usize = counts
        .iter()
        .map(|(text, count)| text.chars().count().saturating_mul(*count))
        .sum();
    match counts.len() {
        0 => Some(Dropped::Empty),
        distinct if distinct > FEW && characters > LONG * there => Some(Dropped::FreeText),
        distinct if distinct > FEW && distinct * 2 > there => Some(Dropped::Identifier),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    fn texts(values: impl IntoIterator<Item = String>) -> Values {
        Values::Texts(values.into_iter().collect())
    }

    fn fitted(column: Column) -> Result<Encoding, String> {
        let train = Table {
            rows: column.values.len(),
            columns: vec![column],
        };
        fit(&train, &Parameters::default()).map(|plan| plan.columns[0].encoding.clone())
    }

    #[test]
    fn every_kind_has_its_encoding_and_settings() {
        let train = Table {
            rows: 4,
            columns: vec![
                column("n", Values::Floats(vec![1.0, 2.0, 6.0, f64::NAN]), &[3]),
                column("m", Values::Integers(vec![1, 2, 6, 0]), &[3]),
                column("t", texts(["b", "a", "b", ""].map(ToOwned::to_owned)), &[3]),
                column("b", Values::Booleans(vec![true, false, true, false]), &[1]),
                column("at", Values::Timestamps(vec![0, 9 << 43, 0, 0]), &[]),
            ],
        };
        let fitted = |json: &str| {
            let parameters: Parameters = serde_json::from_str(json).unwrap();
            fit(&train, &parameters)
        };
        let plan = fitted(r#"{"target":"y"}"#).unwrap();
        assert_eq!(
            plan.features,
            [
                "n",
                "m",
                "t_a",
                "t_b",
                "b",
                "at_year",
                "at_month",
                "at_weekday",
                "at_hour"
            ]
        );
        assert_eq!(plan.columns[3].encoding, Encoding::Boolean { fill: true });
        assert_eq!(plan.notes.len(), 4);
        assert_eq!(
            plan.notes[0],
            "column 'n': lacks 1 of 4 values in the train rows: filled with the mean"
        );
        let plan = fitted(
            r#"{"target":"y","numbers":{"indicator":true,"scale":"none"},
                "columns":{"m":{"indicator":false,"impute":"constant","fill_value":7},
                           "t":{"encode":"ordinal"},"b":{"impute":"constant","fill_value":false}}}"#,
        )
        .unwrap();
        assert_eq!(plan.features[..4], ["n", "missingindicator_n", "m", "t"]);
        let Encoding::Number { fill, scale, .. } = plan.columns[1].encoding else {
            panic!("a number is one");
        };
        assert_eq!((fill, scale), (7.0, 1.0));
        for (json, told) in [
            (r#"{"t":{"scale":"none"}}"#, "column 't' has settings"),
            (r#"{"n":{"encode":"ordinal"}}"#, "column 'n' has settings"),
            (r#"{"n":{"impute":"none"}}"#, "imputed by mean"),
            (r#"{"at":{"impute":"mean"}}"#, "indicator only"),
            (r#"{"N":{"scale":"none"}}"#, "did you mean 'n'?"),
        ] {
            let json = format!(r#"{{"target":"y","columns":{json}}}"#);
            let reason = fitted(&json).unwrap_err();
            assert!(reason.contains(told), "{reason}");
        }
    }

    #[test]
    fn what_can_not_help_is_left_out_with_a_note() {
        let name = |number: usize| format!("name {number}");
        let train = Table {
            rows: 30,
            columns: vec![
                column(
                    "x",
                    Values::Integers((0..30).map(|n| n * n % 7).collect()),
                    &[],
                ),
                column("PassengerId", Values::Integers((1..31).collect()), &[]),
                column("day", Values::Integers((1..31).collect()), &[]),
                column("one", Values::Floats(vec![2.0; 30]), &[]),
                column(
                    "none",
                    texts((0..30).map(|_| String::new())),
                    &(0..30).collect::<Vec<_>>(),
                ),
                column("Name", texts((0..30).map(name)), &[]),
                column(
                    "text",
                    texts((0..30).map(|n| "word ".repeat(30 + n % 15))),
                    &[],
                ),
                column("yes", Values::Booleans(vec![true; 30]), &[]),
            ],
        };
        let plan = fit(&train, &Parameters::default()).unwrap();
        assert_eq!(plan.features, ["x", "day"]);
        let notes = plan.notes.join("\n");
        for part in [
            "without any value in the train rows: 'none'",
            "with one value only in the train rows: 'one', 'yes'",
            "identify rows: 'PassengerId', 'Name'",
            "free text: 'text'",
        ] {
            assert!(notes.contains(part), "{notes}");
        }
    }

    #[test]
    fn no_feature_and_an_infinity_are_told() {
        let told = |column: Column| fitted(column).unwrap_err();
        assert!(
            told(column("one", Values::Floats(vec![1.0; 3]), &[])).contains("no feature is left")
        );
        let infinite = Values::Floats(vec![1.0, f64::INFINITY, 2.0]);
        assert!(told(column("x", infinite, &[])).contains("'x' is infinite in row 2"));
        let huge = Values::Floats(vec![f64::MAX, -f64::MAX, f64::MAX]);
        assert!(told(column("x", huge, &[])).contains("too large"));
        assert!(
            fit(&Table::default(), &Parameters::default())
                .unwrap_err()
                .contains("only column")
        );
    }

    #[test]
    fn names_of_features_never_clash() {
        let train = Table {
            rows: 4,
            columns: vec![
                column("a_b", Values::Integers(vec![1, 2, 3, 4]), &[]),
                column("a", texts(["b", "c", "b", "c"].map(ToOwned::to_owned)), &[]),
            ],
        };
        assert_eq!(
            fit(&train, &Parameters::default()).unwrap().features,
            ["a_b", "a_b_2", "a_c"]
        );
    }
}
