//! The JSON of requests and answers.

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tensor::Tensor;

/// Rows of one request.
pub const MOST_ROWS: u64 = 8192;

/// Columns of one request.
pub const MOST_COLUMNS: usize = 4096;

/// The longest identifier of a request, in bytes.
const LONGEST_ID: usize = 255;

/// What a client asks.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    /// Said again in the answer.
    #[serde(default)]
    pub id: Option<String>,
    /// The columns, all of the same number of rows.
    pub inputs: Vec<Tensor>,
    /// The columns that are wanted; none is all.
    #[serde(default)]
    pub outputs: Vec<Wanted>,
}

/// A column that is wanted.
#[derive(Clone, Debug, Deserialize)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Said by clients.
    #[serde(default)]
    pub parameters: Value,
}

/// What is answered.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The model's name.
    pub model_name: String,
    /// The version that has answered.
    pub model_version: String,
    /// What the client said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The columns.
    pub outputs: Vec<Tensor>,
}

impl Request {
    /// Reads a request, and tells how many rows it has.
    pub fn read(body: &[u8]) -> anyhow::Result<(Self, usize)> {
        let request: Self = serde_json::from_slice(body).context("the body can't be read")?;
        let long = |id: &String| id.len() > LONGEST_ID;
        ensure!(
            !request.id.as_ref().is_some_and(long),
            "the id has more than {LONGEST_ID} bytes"
        );
        let columns = request.inputs.len();
        ensure!(
            (1..=MOST_COLUMNS).contains(&columns),
            "there are {columns} inputs: it must be 1 to {MOST_COLUMNS}, one for each column"
        );
        let rows = request.inputs.first();
        let rows = rows.and_then(|input| input.shape.first()).copied();
        let rows = rows.unwrap_or(0);
        ensure!(
            (1..=MOST_ROWS).contains(&rows),
            "there are {rows} rows: it must be 1 to {MOST_ROWS}"
        );
        Ok((request, rows as usize))
    }

    /// Those of the columns that are wanted, in the order asked for; which one there is not, as an
    /// error.
    pub fn wanted(&self, outputs: Vec<Tensor>) -> anyhow::Result<Vec<Tensor>> {
        if self.outputs.is_empty() {
            return Ok(outputs);
        }
        let find = |wanted: &Wanted| {
            let found = outputs.iter().find(|output| output.name == wanted.name);
            found.cloned().with_context(|| {
                let name = septet_core::text::clean(&wanted.name, 80);
                format!("the model has no output '{name}'")
            })
        };
        self.outputs.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Values;

    #[test]
    fn a_request_is_bounded() {
        let of = |inputs: &str| format!(r#"{{"inputs":[{inputs}]}}"#);
        let input = |rows: u64| format!(r#"{{"name":"a","shape":[{rows}],"datatype":"FP64"}}"#);
        assert_eq!(Request::read(of(&input(3)).as_bytes()).unwrap().1, 3);
        let refused = |body: String| format!("{:#}", Request::read(body.as_bytes()).unwrap_err());
        assert!(refused(of("")).contains("0 inputs"));
        assert!(refused(of(&input(0))).contains("0 rows"));
        assert!(refused(of(&input(9000))).contains("9000 rows"));
        assert!(refused("{}".to_owned()).contains("inputs"));
    }

    #[test]
    fn outputs_are_chosen_by_name() {
        let body = br#"{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1]}],
                        "outputs":[{"name":"b"}]}"#;
        let (request, _) = Request::read(body).unwrap();
        let tensor = |name: &str| Tensor::of(name.to_owned(), Values::Integers(vec![Some(1)]));
        let outputs = request.wanted(vec![tensor("a"), tensor("b")]).unwrap();
        assert_eq!(outputs, [tensor("b")]);
        assert!(request.wanted(vec![tensor("a")]).is_err());
    }
}
