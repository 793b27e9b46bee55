//! Tensors as the protocol's JSON has them: one column each.

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a column holds; a place without a value is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// `FP32`, `FP64`.
    Floats(Vec<Option<f64>>),
    /// `INT8` … `INT64`, `UINT8` … `UINT64` as far as they fit 64 bits with a sign.
    Integers(Vec<Option<i64>>),
    /// `BOOL`.
    Booleans(Vec<Option<bool>>),
    /// `BYTES`, as texts.
    Texts(Vec<Option<String>>),
}

/// A tensor of the shape `[rows]` or `[rows, 1]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Tensor {
    /// The column's name.
    pub name: String,
    /// Its sizes: rows first.
    pub shape: Vec<u64>,
    /// What the protocol calls the type of its values.
    pub datatype: String,
    /// The values, in rows or flat.
    #[serde(default)]
    pub data: Value,
    /// Said by clients, and not needed.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
}

impl Tensor {
    /// The column that it is, of exactly `rows` values.
    pub fn values(&self, rows: usize) -> anyhow::Result<Values> {
        let name = septet_core::text::clean(&self.name, 80);
        let one = matches!(self.shape.as_slice(), [n] | [n, 1] if *n == rows as u64);
        ensure!(
            one,
            "the input '{name}' has the shape {:?}: it must be [{rows}] or [{rows}, 1], a column",
            self.shape
        );
        let binary = self.parameters.get("binary_data_size").is_some();
        ensure!(
            !binary,
            "the input '{name}' is binary: send its data as JSON"
        );
        let data = flat(&self.data, rows)
            .ok_or_else(|| anyhow::anyhow!("the input '{name}' has not {rows} values"))?;
        let wrong =
            |row: usize| anyhow::anyhow!("row {row} of the input '{name}' is no {}", self.datatype);
        macro_rules! read {
            ($kind:ident, $of:expr) => {{
                let mut values = Vec::with_capacity(rows);
                for (row, value) in data.iter().enumerate() {
                    values.push(match value {
                        Value::Null => None,
                        value => Some($of(value).ok_or_else(|| wrong(row))?),
                    });
                }
                Values::$kind(values)
            }};
        }
        Ok(match self.datatype.as_str() {
            "FP16" | "FP32" | "FP64" => read!(Floats, |v: &Value| v.as_f64()),
            "INT8" | "INT16" | "INT32" | "INT64" | "UINT8" | "UINT16" | "UINT32" | "UINT64" => {
                read!(Integers, |v: &Value| v.as_i64())
            }
            "BOOL" => read!(Booleans, |v: &Value| v.as_bool()),
            "BYTES" => read!(Texts, |v: &Value| v.as_str().map(str::to_owned)),
            other => bail!(
                "the input '{name}' has the datatype '{}': take FP64, INT64, BOOL or BYTES",
                septet_core::text::clean(other, 20)
            ),
        })
    }

    /// A column as a tensor.
    pub fn of(name: String, values: Values) -> Self {
        fn list<T: Into<Value>>(values: Vec<Option<T>>) -> Vec<Value> {
            let values = values.into_iter();
            values.map(|v| v.map_or(Value::Null, Into::into)).collect()
        }
        let (datatype, data) = match values {
            Values::Floats(values) => ("FP64", list(values)),
            Values::Integers(values) => ("INT64", list(values)),
            Values::Booleans(values) => ("BOOL", list(values)),
            Values::Texts(values) => ("BYTES", list(values)),
        };
        Self {
            name,
            shape: vec![data.len() as u64],
            datatype: datatype.to_owned(),
            data: Value::Array(data),
            parameters: Value::Null,
        }
    }
}

/// The values in order, whether in rows of one or flat; none where there are not `rows` of them.
fn flat(data: &Value, rows: usize) -> Option<Vec<Value>> {
    let list = data.as_array().filter(|list| list.len() == rows)?;
    let own = |value: &Value| match value {
        Value::Array(row) => match row.as_slice() {
            [one] if !one.is_array() => Some(one.clone()),
            _ => None,
        },
        value => Some(value.clone()),
    };
    list.iter().map(own).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tensor(datatype: &str, shape: &[u64], data: Value) -> Tensor {
        Tensor {
            name: "x".to_owned(),
            shape: shape.to_vec(),
            datatype: datatype.to_owned(),
            data,
            parameters: Value::Null,
        }
    }

    #[test]
    fn columns_come_flat_and_in_rows() {
        let floats = Values::Floats(vec![Some(1.5), None]);
        for (shape, data) in [
            (&[2][..], json!([1.5, null])),
            (&[2, 1], json!([[1.5], [null]])),
        ] {
            assert_eq!(tensor("FP64", shape, data).values(2).unwrap(), floats);
        }
        let texts = tensor("BYTES", &[1], json!(["ä"])).values(1).unwrap();
        assert_eq!(texts, Values::Texts(vec![Some("ä".to_owned())]));
    }

    #[test]
    fn what_is_no_column_is_refused() {
        let refused = |tensor: Tensor| tensor.values(2).unwrap_err().to_string();
        assert!(refused(tensor("FP64", &[2, 2], json!([1, 2, 3, 4]))).contains("[2, 2]"));
        assert!(refused(tensor("FP64", &[2], json!([1]))).contains("not 2 values"));
        assert!(refused(tensor("FP64", &[2], json!([1, "a"]))).contains("row 1"));
        assert!(refused(tensor("INT64", &[2], json!([1, 1.5]))).contains("row 1"));
        assert!(refused(tensor("COMPLEX", &[2], json!([1, 1]))).contains("COMPLEX"));
        assert!(refused(tensor("FP64", &[2], json!([[1, 2], [3]]))).contains("not 2 values"));
    }

    #[test]
    fn what_is_answered_is_read_back() {
        let values = Values::Integers(vec![Some(1), None, Some(-3)]);
        let tensor = Tensor::of("n".to_owned(), values.clone());
        assert_eq!(tensor.values(3).unwrap(), values);
    }
}
