//! A model of another library, as that library's bytes. It owns nothing but their shape: an infer
//! component with an engine reads them, and this crate never does.

/// Most features of a row, or raw columns: what a matrix of one batch may cost.
const MAX_COLUMNS: usize = 1 << 20;

/// An ONNX model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onnx {
    columns: usize,
    classes: usize,
    bytes: Vec<u8>,
}

impl Onnx {
    /// A model of these bytes that takes `columns` features, or the raw columns if that is 0, and
    /// gives probabilities of `classes` classes, or a value if that is 0.
    pub fn new(columns: usize, classes: usize, bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("the ONNX model is empty".to_owned());
        }
        if columns > MAX_COLUMNS {
            return Err(format!(
                "an ONNX model takes at most {MAX_COLUMNS} features"
            ));
        }
        Ok(Self {
            columns,
            classes,
            bytes,
        })
    }

    /// Features of a row; 0 where the model takes the raw columns and prepares them itself.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// How many classes it tells apart; 0 where it predicts a value.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// The model as its library wrote it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
