//! Weights of the rows.

use septet_kit::{
    preprocessing::Task,
    show::shown,
    table::{Table, Values},
};

use crate::{notes, parameters::Parameters, target::find};

/// Checks the weights and leaves rows of weight 0 out.
pub fn without_zero_weights(
    table: &mut Table,
    weight: &str,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let column = find(table, "weight", weight)?;
    let wrong = |what: String, row| {
        Err(format!(
            "the weight '{}' {what} in row {}: weights are finite and not below 0",
            shown(weight, 80),
            table.line(row)
        ))
    };
    let numbers = match &column.values {
        Values::Floats(_) | Values::Integers(_) => column.numbers().unwrap_or_default(),
        values => {
            return Err(format!(
                "the weight '{}' has {}: weights are numbers",
                shown(weight, 80),
                values.kind().name()
            ));
        }
    };
    let mut kept = Vec::with_capacity(table.rows);
    for (row, number) in numbers.into_iter().enumerate() {
        match number {
            None => return wrong("has no value".to_owned(), row),
            Some(number) if number < 0.0 || !number.is_finite() => {
                return wrong(format!("is {number}"), row);
            }
            Some(number) if number > 0.0 => kept.push(row as u32),
            Some(_) => {}
        }
    }
    let left_out = table.rows - kept.len();
    if left_out > 0 {
        notes.push(format!("{} of weight 0 left out", notes::rows(left_out)));
        *table = table.take(&kept);
    }
    Ok(())
}

/// A weight for each train row, 1 on average: its own, times its class's.
///
/// A class's weight is scikit-learn's `balanced`, n / (k · n of the class), by rows.
pub fn weights(
    rows: usize,
    own: Option<Vec<f64>>,
    classes: Option<(&[f64], &[u64])>,
) -> Result<Vec<f64>, String> {
    let mut weights = own.unwrap_or_else(|| vec![1.0; rows]);
    if let Some((target, counts)) = classes {
        for (weight, class) in weights.iter_mut().zip(target) {
            let count = counts.get(*class as usize).copied().unwrap_or(1);
            *weight *= rows as f64 / (counts.len() as f64 * count as f64);
        }
    }
    // Divided by the largest first, so that the sum stays finite.
    let most = weights.iter().copied().fold(0.0, f64::max);
    let sum: f64 = weights.iter().map(|weight| weight / most).sum();
    let mean = sum / rows.max(1) as f64;
    for weight in &mut weights {
        *weight = *weight / most / mean;
    }
    if weights
        .iter()
        .any(|weight| !weight.is_finite() || *weight <= 0.0)
    {
        return Err("the weights are too far apart: some are nothing beside the others".to_owned());
    }
    Ok(weights)
}

/// The train rows' weights, where any are asked for.
pub(crate) fn weigh(
    train: &Table,
    parameters: &Parameters,
    task: Task,
    target: &[f64],
    counts: &[u64],
) -> Result<Option<Vec<f64>>, String> {
    let balanced = parameters.class_weight.is_some();
    if balanced && task == Task::Regression {
        return Err("class_weight is set, but the task is regression: it is of classes".to_owned());
    }
    if !balanced && parameters.weight.is_none() {
        return Ok(None);
    }
    let own = match &parameters.weight {
        Some(weight) => {
            let column = find(train, "weight", weight)?.numbers().unwrap_or_default();
            Some(column.into_iter().map(Option::unwrap_or_default).collect())
        }
        None => None,
    };
    weights(train.rows, own, balanced.then_some((target, counts))).map(Some)
}

#[cfg(test)]
mod tests {
    use septet_kit::table::Column;

    use super::*;

    #[test]
    fn weights_are_checked_and_zeros_left_out() {
        let run = |values: Vec<f64>, nulls: &[u32]| {
            let mut table = Table {
                rows: values.len(),
                columns: vec![Column {
                    name: "w".to_owned(),
                    values: Values::Floats(values),
                    nulls: nulls.to_vec(),
                }],
            };
            let mut notes = Vec::new();
            without_zero_weights(&mut table, "w", &mut notes).map(|()| (table.rows, notes))
        };
        let (rows, notes) = run(vec![1.0, 0.0, 2.5], &[]).unwrap();
        assert_eq!((rows, notes[0].as_str()), (2, "1 row of weight 0 left out"));
        let told = run(vec![1.0, -0.5], &[]).unwrap_err();
        assert!(told.contains("is -0.5 in row 2"), "{told}");
        assert!(
            run(vec![1.0, f64::INFINITY], &[])
                .unwrap_err()
                .contains("inf")
        );
        assert!(
            run(vec![1.0, 1.0], &[0])
                .unwrap_err()
                .contains("no value in row 1")
        );
    }

    #[test]
    fn weights_are_one_on_average() {
        let balanced = weights(4, None, Some((&[0.0, 0.0, 0.0, 1.0], &[3, 1]))).unwrap();
        for (weight, expected) in balanced.iter().zip([2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 2.0]) {
            assert!((weight - expected).abs() < 1e-15);
        }
        assert_eq!(
            weights(2, Some(vec![1e308, 1e308]), None).unwrap(),
            [1.0, 1.0]
        );
        assert!(weights(2, Some(vec![1e308, 1e-300]), None).is_err());
    }
}
