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
    use std::io::Cursor;

    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReader;
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
        let reader = ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 1_024).unwrap();
        // Through Arrow, which the kit reads.
        let mut table: Option<Table> = None;
        for batch in reader {
            let batch = batch.unwrap();
            let mut file =
                arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
            file.write(&batch).unwrap();
            let read = arrow::read(Cursor::new(file.into_inner().unwrap())).unwrap();
            match &mut table {
                Some(table) => table.append(read).unwrap(),
                None => table = Some(read),
            }
        }
        let read = table.unwrap();
        assert_eq!(read.rows, 4);
        for (read, written) in read.columns.iter().zip(super::tests::table().columns) {
            let labels = |column: &Column| (0..3).map(|row| column.label(row)).collect::<Vec<_>>();
            assert_eq!(labels(read), labels(&written));
        }
    }
}
