//! The train table and the other tables as files.

use std::io::Write;

use septet_kit::{
    arrow::{self, BATCH, Writer},
    preprocessing::{TARGET, UNIT, WEIGHT},
    table::{Column, Field, Kind, Table, Values},
};

use crate::prepare::Prepared;

impl Prepared {
    /// How many train rows.
    pub const fn train_rows(&self) -> usize {
        self.train.rows
    }

    /// Writes the train table: the features, [`UNIT`], [`WEIGHT`] where there are weights, then
    /// [`TARGET`]; all are floats.
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
            .chain(self.own().into_iter().map(|(name, _)| name))
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
            let end = start + batch.rows;
            let own = self.own().into_iter().map(|(name, values)| {
                column(name, values.get(start..end).unwrap_or_default().to_vec())
            });
            let columns = self
                .preprocessing
                .features
                .iter()
                .enumerate()
                .map(|(at, name)| column(name, features.column(at)))
                .chain(own)
                .collect();
            writer.write(&Table {
                rows: batch.rows,
                columns,
            })?;
            progress((start + batch.rows) as u64, rows as u64);
        }
        writer.finish()
    }

    /// The columns after the features, with their values.
    fn own(&self) -> Vec<(&'static str, &[f64])> {
        let weights = self.weights.as_ref();
        std::iter::once((UNIT, self.units.as_slice()))
            .chain(weights.map(|weights| (WEIGHT, weights.as_slice())))
            .chain([(TARGET, self.target.as_slice())])
            .collect()
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

fn column(name: &str, values: Vec<f64>) -> Column {
    Column {
        name: name.to_owned(),
        values: Values::Floats(values),
        nulls: Vec::new(),
    }
}
