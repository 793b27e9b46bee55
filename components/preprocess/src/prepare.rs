//! The whole of it: one table to train rows, test rows and a fitted preprocessing.

use std::{collections::BTreeMap, io::Write};

use septet_kit::{
    arrow::{self, BATCH, Writer},
    bundle::TRAIN_ROW,
    drift::Reference,
    preprocessing::{Input, Preprocessing, Task},
    show::shown,
    table::{Column, Field, Kind, ROW, Table, Values},
    transform,
};

use crate::{
    fit::fit,
    parameters::Parameters,
    sides::{check_sides, sides, without_null_targets},
    target::{class_counts, decide, find, numbers},
};

/// The last column of the train table: the class's number, or the value.
pub const TARGET: &str = "septet:target";

/// Raw train rows that a bundle records.
const SAMPLE: usize = 32;

/// What a table became.
pub struct Prepared {
    /// Raw rows for the test, with target and line.
    pub test: Table,
    /// Some raw train rows without the target, with their numbers among the train rows.
    pub sample: Table,
    /// Counts of the raw train rows.
    pub reference: Reference,
    /// What was fitted.
    pub preprocessing: Preprocessing,
    /// For the reader of the report.
    pub notes: Vec<String>,
    /// After the transforms.
    train: Table,
    /// One a train row.
    target: Vec<f64>,
}

/// Splits and fits. `call` passes a batch through a transform.
pub fn prepare(
    mut table: Table,
    parameters: &Parameters,
    call: impl FnMut(&str, Table) -> Result<Table, String>,
) -> Result<Prepared, String> {
    parameters.check()?;
    let mut notes = Vec::new();
    find(&table, "target", &parameters.target)?;
    if let Some(key) = &parameters.key {
        find(&table, "key", key)?;
    }
    without_null_targets(&mut table, &parameters.target, &mut notes)?;
    let target = find(&table, "target", &parameters.target)?;
    let (task, note) = decide(target, parameters.task)?;
    notes.extend(note);

    let (train, test) = sides(&table, parameters);
    drop(table);
    let train_target = find(&train, "target", &parameters.target)?;
    let counts = match task {
        Task::Classification => class_counts(train_target),
        Task::Regression => BTreeMap::new(),
    };
    let (classes, class_counts): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
    let test = check_sides(&train, test, task, &classes, parameters, &mut notes)?;
    let target = numbers(train_target, task, &classes)?;
    let target_mean = match task {
        Task::Classification => 0.0,
        Task::Regression => target.iter().sum::<f64>() / target.len().max(1) as f64,
    };

    let mut raw = train;
    raw.columns.retain(|column| {
        let name = column.name.as_str();
        name != ROW && name != parameters.target && Some(name) != parameters.key.as_deref()
    });
    if let Some(key) = &parameters.key {
        notes.push(format!(
            "the key '{}' decides the split and is no feature",
            shown(key, 80)
        ));
    }
    let inputs: Vec<Input> = raw
        .columns
        .iter()
        .map(|column| Input {
            name: column.name.clone(),
            kind: column.values.kind(),
            nullable: !column.nulls.is_empty(),
        })
        .collect();
    // Without transforms, what is served needs no column that was left out.
    let all_needed = !parameters.transforms.is_empty();
    let reference = Reference::fit(&raw, &[]);
    let sample = sample(&raw);
    let train = transform::apply(raw, &parameters.transforms, &parameters.target, call)?;
    let plan = fit(&train)?;
    notes.extend(plan.notes);
    let needed = |name: &str| all_needed || plan.columns.iter().any(|fitted| fitted.column == name);
    let inputs: Vec<_> = inputs
        .into_iter()
        .filter(|input| needed(&input.name))
        .collect();
    let names: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
    let reference = reference.only(&names);
    let sample = keep(sample, &names);

    let preprocessing = Preprocessing {
        task,
        target: parameters.target.clone(),
        classes,
        class_counts,
        target_mean,
        positive: None,
        folds: septet_kit::preprocessing::Folds::Rows,
        weighted: false,
        inputs,
        transforms: parameters.transforms.clone(),
        columns: plan.columns,
        features: plan.features,
    };
    Ok(Prepared {
        test,
        sample,
        reference,
        preprocessing,
        notes,
        train,
        target,
    })
}

impl Prepared {
    /// How many train rows.
    pub const fn train_rows(&self) -> usize {
        self.train.rows
    }

    /// Writes the train table: the features, then [`TARGET`].
    pub fn write_train<W: Write>(
        &self,
        writer: W,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<W, String> {
        let fields = self
            .preprocessing
            .features
            .iter()
            .map(String::as_str)
            .chain([TARGET])
            .map(|name| Field {
                name: name.to_owned(),
                kind: Kind::Floats,
            })
            .collect();
        let mut writer = Writer::new(writer, fields)?;
        let rows = self.train.rows;
        for start in (0..rows).step_by(BATCH) {
            let batch = self.train.slice(start, BATCH);
            let features = self.preprocessing.features(&batch)?;
            let target = self.target.get(start..start + batch.rows);
            let column = |name: &str, values| Column {
                name: name.to_owned(),
                values: Values::Floats(values),
                nulls: Vec::new(),
            };
            let columns = self
                .preprocessing
                .features
                .iter()
                .enumerate()
                .map(|(at, name)| column(name, features.column(at)))
                .chain([column(TARGET, target.unwrap_or_default().to_vec())])
                .collect();
            writer.write(&Table {
                rows: batch.rows,
                columns,
            })?;
            progress((start + batch.rows) as u64, rows as u64);
        }
        writer.finish()
    }

    /// Writes the test table.
    pub fn write_test<W: Write>(&self, writer: W) -> Result<W, String> {
        arrow::write(writer, &self.test)
    }

    /// Writes the sample.
    pub fn write_sample<W: Write>(&self, writer: W) -> Result<W, String> {
        arrow::write(writer, &self.sample)
    }
}

/// Rows spread evenly over the train rows, with their numbers.
fn sample(raw: &Table) -> Table {
    let count = raw.rows.min(SAMPLE);
    let order: Vec<u32> = (0..count)
        .map(|number| (number * raw.rows / count) as u32)
        .collect();
    let mut sample = raw.take(&order);
    sample.columns.push(Column {
        name: TRAIN_ROW.to_owned(),
        values: Values::Integers(order.iter().copied().map(i64::from).collect()),
        nulls: Vec::new(),
    });
    sample
}

fn keep(mut table: Table, names: &[&str]) -> Table {
    table
        .columns
        .retain(|column| column.name == TRAIN_ROW || names.contains(&column.name.as_str()));
    table
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::parameters::AskedTask;

    fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    fn texts(values: impl Iterator<Item = &'static str>) -> Values {
        Values::Texts(values.map(ToOwned::to_owned).collect())
    }

    /// Rows 0, 1, 2, …: a number, a text that tells the class, the class, and a constant.
    fn table(rows: usize) -> Table {
        let numbers = || 0..rows as i64;
        let class = || (0..rows).map(|row| ["no", "yes"][row % 2]);
        Table {
            rows,
            columns: vec![
                column(
                    ROW,
                    Values::Integers(numbers().map(|n| n + 2).collect()),
                    &[],
                ),
                column("n", Values::Integers(numbers().collect()), &[]),
                column(
                    "group",
                    Values::Integers(numbers().map(|n| n / 4).collect()),
                    &[],
                ),
                column(
                    "t",
                    texts((0..rows).map(|row| ["a", "b"][row / 2 % 2])),
                    &[1],
                ),
                column("y", texts(class()), &[]),
                column("one", Values::Integers(vec![1; rows]), &[]),
            ],
        }
    }

    fn parameters() -> Parameters {
        Parameters {
            target: "y".to_owned(),
            task: AskedTask::Auto,
            test_share: 0.25,
            key: None,
            transforms: vec![],
        }
    }

    fn no_transform(_: &str, _: Table) -> Result<Table, String> {
        panic!("there is no transform");
    }

    fn lines(table: &Table) -> Vec<i64> {
        (0..table.rows).map(|row| table.line(row)).collect()
    }

    #[test]
    fn a_table_is_split_and_fitted() {
        let prepared = prepare(table(400), &parameters(), no_transform).unwrap();
        let plan = &prepared.preprocessing;
        assert_eq!(plan.classes, ["no", "yes"]);
        assert_eq!(plan.features, ["n", "group", "t_a", "t_b"]);
        let inputs: Vec<_> = plan.inputs.iter().map(|input| &input.name).collect();
        assert_eq!(inputs, ["n", "group", "t"]);
        assert_eq!(
            plan.class_counts.iter().sum::<u64>() as usize,
            prepared.train_rows()
        );
        assert_eq!(prepared.train_rows() + prepared.test.rows, 400);
        assert!(prepared.test.column("y").is_some());
        assert!(prepared.test.column(ROW).is_some());
        assert_eq!(prepared.sample.rows, 32);
        assert_eq!(prepared.sample.columns.len(), 4);
        assert_eq!(prepared.reference.columns.len(), 3);

        let bytes = prepared.write_train(Vec::new(), |_, _| {}).unwrap();
        let train = arrow::read(Cursor::new(bytes)).unwrap();
        assert_eq!(train.rows, prepared.train_rows());
        assert_eq!(train.columns.last().unwrap().name, TARGET);
        let Values::Floats(scaled) = &train.columns[0].values else {
            panic!("features are floats");
        };
        let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
        let squares = scaled.iter().map(|x| x * x).sum::<f64>() / scaled.len() as f64;
        assert!(mean.abs() < 1e-12 && (squares - 1.0).abs() < 1e-12);
        assert!(prepared.notes.iter().any(|note| note.contains("'one'")));
    }

    #[test]
    fn the_sample_names_its_train_rows() {
        let prepared = prepare(table(100), &parameters(), no_transform).unwrap();
        let bytes = prepared.write_train(Vec::new(), |_, _| {}).unwrap();
        let train = arrow::read(Cursor::new(bytes)).unwrap();
        let sample = prepared.preprocessing.check(&prepared.sample).unwrap();
        let features = prepared.preprocessing.features(&sample).unwrap();
        let Values::Integers(numbers) = &prepared.sample.column(TRAIN_ROW).unwrap().values else {
            panic!("numbers are integers");
        };
        for (row, number) in numbers.iter().enumerate() {
            let expected: Vec<_> = train.columns[..features.columns]
                .iter()
                .map(|column| column.number(*number as usize).unwrap())
                .collect();
            assert_eq!(features.row(row), expected);
        }
    }

    #[test]
    fn appended_rows_leave_the_test_rows_where_they_are() {
        let before = prepare(table(200), &parameters(), no_transform).unwrap();
        let after = prepare(table(300), &parameters(), no_transform).unwrap();
        let before = lines(&before.test);
        assert_eq!(lines(&after.test)[..before.len()], before);
    }

    #[test]
    fn a_key_keeps_groups_together_and_is_no_feature() {
        let parameters = Parameters {
            key: Some("group".to_owned()),
            ..parameters()
        };
        let prepared = prepare(table(400), &parameters, no_transform).unwrap();
        assert_eq!(prepared.preprocessing.features, ["n", "t_a", "t_b"]);
        assert_eq!(prepared.test.rows % 4, 0);
    }

    #[test]
    fn transforms_see_neither_target_nor_line_and_all_inputs_are_kept() {
        let parameters = Parameters {
            transforms: vec!["digest".to_owned()],
            key: Some("group".to_owned()),
            ..parameters()
        };
        let prepared = prepare(table(400), &parameters, |digest, mut batch| {
            assert_eq!(digest, "digest");
            let names: Vec<_> = batch.columns.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names, ["n", "t", "one"]);
            let mut half = batch.remove("n").unwrap();
            half.name = "half".to_owned();
            batch.columns.push(half);
            Ok(batch)
        })
        .unwrap();
        assert_eq!(prepared.preprocessing.features, ["t_a", "t_b", "half"]);
        let inputs: Vec<_> = prepared
            .preprocessing
            .inputs
            .iter()
            .map(|i| &i.name)
            .collect();
        assert_eq!(inputs, ["n", "t", "one"]);
    }

    #[test]
    fn rows_without_a_target_are_left_out() {
        let mut with_nulls = table(200);
        with_nulls.columns[4].nulls = vec![0, 7];
        let prepared = prepare(with_nulls, &parameters(), no_transform).unwrap();
        assert_eq!(prepared.train_rows() + prepared.test.rows, 198);
        assert!(prepared.notes[0].contains("2 rows without a target"));
    }

    #[test]
    fn a_side_that_can_not_work_is_told_with_what_to_do() {
        let told = |table: Table, test_share: f64| {
            let parameters = Parameters {
                test_share,
                ..parameters()
            };
            prepare(table, &parameters, no_transform).err().unwrap()
        };
        let reason = told(table(6), 0.000_001);
        assert!(reason.contains("test side"), "{reason}");
        assert!(reason.contains("larger test_share"), "{reason}");
        let reason = told(table(6), 0.999_999);
        assert!(reason.contains("train side"), "{reason}");
        let mut rare = table(100);
        rare.columns[4].values = texts((0..100).map(|row| if row == 3 { "yes" } else { "no" }));
        let reason = told(rare, 0.25);
        assert!(reason.contains("only the class 'no'"), "{reason}");
        let mut one = table(100);
        one.columns[4].values = texts((0..100).map(|_| "no"));
        assert!(told(one, 0.25).contains("only one value"));
        let mut none = table(100);
        none.columns[4].nulls = (0..100).collect();
        assert!(told(none, 0.25).contains("no value in any row"));
    }

    #[test]
    fn equal_tables_give_equal_bytes() {
        let bytes = || {
            let prepared = prepare(table(100), &parameters(), no_transform).unwrap();
            (
                prepared.write_train(Vec::new(), |_, _| {}).unwrap(),
                prepared.write_test(Vec::new()).unwrap(),
                serde_json::to_vec(&prepared.preprocessing).unwrap(),
            )
        };
        assert_eq!(bytes(), bytes());
    }
}
