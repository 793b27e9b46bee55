//! One writer for all formats.

use std::io::Write;

use septet_kit::{
    arrow,
    table::{Field, Table},
};

use super::{Format, csv::Csv, json_lines::JsonLines, parquet::Parquet};

/// A file of predictions that is being written.
pub enum File<W: Write + Send> {
    /// Comma-separated.
    Csv(Box<Csv<W>>),
    /// One JSON object a row.
    JsonLines(Box<JsonLines<W>>),
    /// Apache Parquet.
    Parquet(Box<Parquet<W>>),
    /// Arrow IPC.
    Arrow(Box<arrow::Writer<W>>),
}

impl<W: Write + Send> File<W> {
    /// Begins a file of these columns.
    pub fn new(writer: W, format: Format, fields: Vec<Field>) -> Result<Self, String> {
        Ok(match format {
            Format::Csv => Self::Csv(Box::new(Csv::new(writer, &fields)?)),
            Format::JsonLines => Self::JsonLines(Box::new(JsonLines::new(writer, &fields)?)),
            Format::Parquet => Self::Parquet(Box::new(Parquet::new(writer, &fields)?)),
            Format::Arrow => Self::Arrow(Box::new(arrow::Writer::new(writer, fields)?)),
        })
    }

    /// Adds rows of the file's columns. The dictionary of a column of categories is the same each
    /// time.
    pub fn write(&mut self, table: &Table) -> Result<(), String> {
        match self {
            Self::Csv(file) => file.write(table),
            Self::JsonLines(file) => file.write(table),
            Self::Parquet(file) => file.write(table),
            Self::Arrow(file) => file.write(table),
        }
    }

    /// Ends the file.
    pub fn finish(self) -> Result<W, String> {
        match self {
            Self::Csv(file) => file.finish(),
            Self::JsonLines(file) => Ok(file.finish()),
            Self::Parquet(file) => file.finish(),
            Self::Arrow(file) => file.finish(),
        }
    }
}

/// The error of a writer as a sentence.
pub(super) fn unwritable(error: &dyn std::fmt::Display) -> String {
    format!("can't write the predictions: {error}")
}

#[cfg(test)]
mod tests {
    use ::parquet::{
        file::{
            metadata::RowGroupMetaData,
            reader::{FileReader, SerializedFileReader},
        },
        record::Field as Value,
    };
    use septet_kit::table::{Column, Values};

    use super::*;

    fn table() -> Table {
        let column = |name: &str, values, nulls: &[u32]| Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        };
        let text = |text: &str| text.to_owned();
        let classes = Values::Categories {
            dictionary: vec![text("a \"b\", c"), text("d")],
            codes: vec![0, 0, 1],
        };
        let errors = vec![text(""), text("line\n1"), text("")];
        Table {
            rows: 3,
            columns: vec![
                column("row", Values::Integers(vec![2, 3, i64::MAX]), &[]),
                column("prediction", classes, &[1]),
                column(
                    "probability_\"d\"",
                    Values::Floats(vec![0.1 + 0.2, 0.0, 5e-324]),
                    &[1],
                ),
                column("error", Values::Texts(errors), &[0, 2]),
            ],
        }
    }

    fn write(format: Format) -> Vec<u8> {
        let table = table();
        let mut file = File::new(Vec::new(), format, table.fields()).unwrap();
        file.write(&table).unwrap();
        file.write(&table.slice(2, 1)).unwrap();
        file.finish().unwrap()
    }

    #[test]
    fn rows_are_comma_separated() {
        assert_eq!(
            String::from_utf8(write(Format::Csv)).unwrap(),
            "row,prediction,\"probability_\"\"d\"\"\",error\n\
             2,\"a \"\"b\"\", c\",0.30000000000000004,\n\
             3,,,\"line\n1\"\n\
             9223372036854775807,d,5e-324,\n\
             9223372036854775807,d,5e-324,\n"
        );
    }

    #[test]
    fn rows_are_json_objects_with_exact_numbers() {
        let bytes = write(Format::JsonLines);
        let lines: Vec<&str> = std::str::from_utf8(&bytes).unwrap().lines().collect();
        assert_eq!(
            lines[..2],
            [
                r#"{"row":2,"prediction":"a \"b\", c","probability_\"d\"":0.30000000000000004,"error":null}"#,
                r#"{"row":3,"prediction":null,"probability_\"d\"":null,"error":"line\n1"}"#
            ]
        );
        assert_eq!(lines.len(), 4);
        let last: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(last["row"], i64::MAX);
        assert_eq!(last["probability_\"d\""].as_f64(), Some(5e-324));
    }

    #[test]
    fn rows_are_parquet_and_equal_rows_equal_bytes() {
        let bytes = write(Format::Parquet);
        assert_eq!(bytes, write(Format::Parquet));
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let rows = reader.get_row_iter(None).unwrap();
        let rows: Vec<Vec<Value>> = rows
            .map(|row| {
                let row = row.unwrap();
                row.get_column_iter()
                    .map(|(_, value)| value.clone())
                    .collect()
            })
            .collect();
        let text = |text: &str| Value::Str(text.to_owned());
        let last = [
            Value::Long(i64::MAX),
            text("d"),
            Value::Double(5e-324),
            Value::Null,
        ];
        assert_eq!(
            rows,
            [
                [
                    Value::Long(2),
                    text("a \"b\", c"),
                    Value::Double(0.1 + 0.2),
                    Value::Null
                ],
                [Value::Long(3), Value::Null, Value::Null, text("line\n1")],
                last.clone(),
                last
            ]
        );
    }

    #[test]
    fn a_long_file_of_parquet_has_several_groups() {
        let codes = (0..100_000).map(|row| row % 3).collect();
        let dictionary = ["a", "b", "c"].map(ToOwned::to_owned).to_vec();
        let batch = Table {
            rows: 100_000,
            columns: vec![Column {
                name: "c".to_owned(),
                values: Values::Categories { dictionary, codes },
                nulls: (0..50_000).collect(),
            }],
        };
        let mut file = File::new(Vec::new(), Format::Parquet, batch.fields()).unwrap();
        for _ in 0..3 {
            file.write(&batch).unwrap();
        }
        let bytes = bytes::Bytes::from(file.finish().unwrap());
        let reader = SerializedFileReader::new(bytes).unwrap();
        let groups = reader.metadata().row_groups();
        let rows: Vec<i64> = groups.iter().map(RowGroupMetaData::num_rows).collect();
        assert_eq!(rows, [200_000, 100_000]);
        let last = reader.get_row_iter(None).unwrap().last().unwrap().unwrap();
        let value = last.get_column_iter().next().unwrap().1;
        assert_eq!(*value, Value::Str("a".to_owned()));
        let empty = File::new(Vec::new(), Format::Parquet, batch.fields()).unwrap();
        let bytes = bytes::Bytes::from(empty.finish().unwrap());
        let reader = SerializedFileReader::new(bytes).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
