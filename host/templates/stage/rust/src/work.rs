//! The work: what is made of the inputs. **This is yours to write.**
//!
//! As it was written by `septet new`, it counts the lines and bytes of each input and makes one JSON
//! document for each output. The contract is kept and the stage runs; but the stages after it
//! expect what docs/stages.md of Septet says, and refuse this document until it is that.

use serde_json::{Value, json};

/// Inputs that must be there.
pub const INPUTS: &[&str] = &{{inputs}};
/// Outputs that are written.
pub const OUTPUTS: &[&str] = &{{outputs}};
/// How the outputs are written.
pub const MEDIA_TYPE: &str = "{{media}}";

/// What was counted of an input. It is fed piece by piece, so that no input need fit in memory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub bytes: u64,
    pub lines: u64,
    open: bool,
}

impl Counted {
    /// Takes the next piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.open = piece.last().map_or(self.open, |byte| *byte != b'\n');
    }

    /// Lines, the last one without an end included.
    pub fn lines(&self) -> u64 {
        self.lines + u64::from(self.open)
    }
}

/// The text of an output. Equal inputs, parameters and seed must give equal bytes.
pub fn document(output: &str, inputs: &[(String, Counted)], parameters: &Value, seed: u64) -> String {
    let inputs: Vec<Value> = inputs
        .iter()
        .map(|(name, counted)| json!({ "name": name, "bytes": counted.bytes, "lines": counted.lines() }))
        .collect();
    let mut document = json!({
        "output": output,
        "inputs": inputs,
        "parameters": parameters,
        "seed": seed,
    });
{{train}}    // What the predictor of an infer written by `septet new` answers for every row.
{{train}}    document["prediction"] = json!(0.0);
    document["made_by"] = json!("{{name}}");
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(pieces: &[&str]) -> Counted {
        let mut counted = Counted::default();
        for piece in pieces {
            counted.add(piece.as_bytes());
        }
        counted
    }

    #[test]
    fn lines_do_not_depend_on_the_pieces() {
        assert_eq!(counted(&["a\nb\n"]).lines(), 2);
        assert_eq!(counted(&["a\n", "", "b"]).lines(), 2);
        assert_eq!(counted(&["a", "\nb"]).lines(), 2);
        assert_eq!(counted(&[]).lines(), 0);
    }

    #[test]
    fn equal_inputs_give_equal_documents() {
        let made = || document("x", &[("a".to_owned(), counted(&["1\n"]))], &json!({ "k": 1 }), 7);
        assert_eq!(made(), made());
        assert!(made().contains(r#""lines":1"#), "{}", made());
    }
}
