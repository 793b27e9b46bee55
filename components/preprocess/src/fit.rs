//! The plan of the features, fitted on train rows that have passed the transforms.

use std::collections::{BTreeMap, BTreeSet};

use septet_kit::{
    preprocessing::{Encoding, Fitted},
    show::shown,
    table::{Column, Table, Values},
};

use crate::notes::listed;

/// Categories of a column that have a feature of their own.
pub const MAX_CATEGORIES: usize = 50;

/// Distinct texts, at most, that are always taken as categories.
const FEW: usize = 10;

/// Characters of a text, on average, from which it is free text.
const LONG: usize = 100;

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
pub fn fit(train: &Table) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let mut dropped: BTreeMap<Dropped, Vec<&str>> = BTreeMap::new();
    let mut filled = Vec::new();
    for column in &train.columns {
        match encoding(column, train)? {
            Ok(encoding) => {
                if !column.nulls.is_empty() {
                    filled.push((column.name.as_str(), column.nulls.len(), &column.values));
                }
                pooled(&column.name, &encoding, &mut plan.notes);
                plan.columns.push(Fitted {
                    column: column.name.clone(),
                    encoding,
                });
            }
            Err(reason) => dropped.entry(reason).or_default().push(&column.name),
        }
    }
    for (name, count, values) in filled.iter().take(10) {
        let with = match values {
            Values::Floats(_) | Values::Integers(_) | Values::Timestamps(_) => "the mean",
            _ => "the most frequent value",
        };
        plan.notes.push(format!(
            "column '{}' lacks {count} of {} values in the train rows: filled with {with}",
            shown(name, 80),
            train.rows
        ));
    }
    if filled.len() > 10 {
        plan.notes.push(format!(
            "{} more columns lack values, which were filled likewise",
            filled.len() - 10
        ));
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

fn pooled(name: &str, encoding: &Encoding, notes: &mut Vec<String>) {
    if matches!(encoding, Encoding::OneHot { other: true, .. }) {
        notes.push(format!(
            "column '{}' has more than {MAX_CATEGORIES} categories: the rarer ones are one feature",
            shown(name, 80)
        ));
    }
}

/// Names of all features; one that comes again gets a number.
fn names(columns: &[Fitted]) -> Result<Vec<String>, String> {
    const MAX: usize = septet_kit::arrow::MAX_COLUMNS - 1;
    let width: usize = columns.iter().map(Fitted::width).sum();
    if width > MAX {
        return Err(format!(
            "there are {width} features: at most {MAX} are taken, so leave columns out"
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

fn encoding(column: &Column, train: &Table) -> Result<Result<Encoding, Dropped>, String> {
    if column.nulls.len() == train.rows {
        return Ok(Err(Dropped::Empty));
    }
    match &column.values {
        Values::Floats(_) | Values::Integers(_) | Values::Timestamps(_) => number(column, train),
        Values::Booleans(values) => Ok(boolean(column, values)),
        Values::Texts(_) | Values::Categories { .. } => Ok(one_hot(column)),
    }
}

fn number(column: &Column, train: &Table) -> Result<Result<Encoding, Dropped>, String> {
    let numbers = column.numbers().unwrap_or_default();
    let there: Vec<f64> = numbers.iter().copied().flatten().collect();
    if let Some(row) = numbers
        .iter()
        .position(|number| number.is_some_and(f64::is_infinite))
    {
        return Err(format!(
            "column '{}' is infinite in row {}",
            shown(&column.name, 80),
            train.line(row)
        ));
    }
    let Some(first) = there.first() else {
        return Ok(Err(Dropped::Empty));
    };
    if there.iter().all(|number| number - first == 0.0) {
        return Ok(Err(Dropped::Constant));
    }
    if identifies(column, &there) {
        return Ok(Err(Dropped::Identifier));
    }
    let mean = there.iter().sum::<f64>() / there.len() as f64;
    // A filled value is the mean and adds nothing to the sum of squares, only to the rows.
    let squares: f64 = there
        .iter()
        .map(|number| (number - mean) * (number - mean))
        .sum();
    let scale = (squares / numbers.len() as f64).sqrt();
    if scale == 0.0 {
        return Ok(Err(Dropped::Constant));
    }
    if !(mean.is_finite() && scale.is_finite()) {
        return Err(format!(
            "column '{}' can't be scaled: its values are too large",
            shown(&column.name, 80)
        ));
    }
    Ok(Ok(Encoding::Number {
        fill: mean,
        center: mean,
        scale,
        indicator: false,
    }))
}

/// Whether whole numbers are those of the rows: all different, and named so.
fn identifies(column: &Column, there: &[f64]) -> bool {
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
    named && there.len() == values.len() && distinct() == values.len()
}

fn boolean(column: &Column, values: &[bool]) -> Result<Encoding, Dropped> {
    let (mut yes, mut no) = (0_usize, 0_usize);
    for (value, null) in values.iter().zip(column.null_mask()) {
        if !null {
            *(if *value { &mut yes } else { &mut no }) += 1;
        }
    }
    if yes == 0 || no == 0 {
        return Err(Dropped::Constant);
    }
    Ok(Encoding::Boolean { fill: yes > no })
}

fn one_hot(column: &Column) -> Result<Encoding, Dropped> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut there, mut characters) = (0_usize, 0_usize);
    for text in (0..column.values.len()).filter_map(|row| column.text(row)) {
        *counts.entry(text).or_default() += 1;
        there += 1;
        characters += text.chars().count();
    }
    match counts.len() {
        0 => return Err(Dropped::Empty),
        1 => return Err(Dropped::Constant),
        distinct if distinct > FEW && characters > LONG * there => return Err(Dropped::FreeText),
        distinct if distinct > FEW && distinct * 2 > there => return Err(Dropped::Identifier),
        _ => {}
    }
    // The most frequent first; of equally frequent ones the first in order of text.
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
    let fill = ranked.first().map(|(text, _)| (*text).to_owned());
    let other = ranked.len() > MAX_CATEGORIES;
    let mut categories: Vec<String> = ranked
        .into_iter()
        .take(MAX_CATEGORIES)
        .map(|(text, _)| text.to_owned())
        .collect();
    categories.sort_unstable();
    Ok(Encoding::OneHot {
        categories,
        other,
        fill: (!column.nulls.is_empty()).then_some(fill).flatten(),
    })
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
        fit(&train).map(|plan| plan.columns[0].encoding.clone())
    }

    #[test]
    fn numbers_are_as_scikit_learn_has_them() {
        // SimpleImputer and StandardScaler of [1, 2, 6, nan]: mean 3, deviation sqrt(14 / 4).
        let values = Values::Floats(vec![1.0, 2.0, 6.0, 0.0]);
        let expected = Encoding::Number {
            fill: 3.0,
            center: 3.0,
            scale: 3.5_f64.sqrt(),
            indicator: false,
        };
        assert_eq!(fitted(column("x", values, &[3])).unwrap(), expected);
        let nan = Values::Floats(vec![1.0, 2.0, 6.0, f64::NAN]);
        assert_eq!(fitted(column("x", nan, &[])).unwrap(), expected);
    }

    #[test]
    fn categories_are_sorted_capped_and_filled() {
        let values = texts(["b", "a", "b", ""].map(ToOwned::to_owned));
        assert_eq!(
            fitted(column("t", values, &[3])).unwrap(),
            Encoding::OneHot {
                categories: vec!["a".to_owned(), "b".to_owned()],
                other: false,
                fill: Some("b".to_owned()),
            }
        );
        let many = texts((0..300).map(|number| format!("c{:02}", number % 60)));
        let Encoding::OneHot {
            categories, other, ..
        } = fitted(column("t", many, &[])).unwrap()
        else {
            panic!("a text is one-hot");
        };
        assert!(other);
        assert_eq!(categories.len(), MAX_CATEGORIES);
        assert_eq!(categories.last().unwrap(), "c49");
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
        let plan = fit(&train).unwrap();
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
        assert!(fit(&Table::default()).unwrap_err().contains("only column"));
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
        assert_eq!(fit(&train).unwrap().features, ["a_b", "a_b_2", "a_c"]);
    }
}
