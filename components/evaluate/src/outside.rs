//! What evaluating needs of the outside, and how that may fail.

use septet_kit::{bundle::Manifest, table::Table};

/// Why there is no evaluation, or no predictions of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The model does not take the rows, or gives what can't be scored; or a parameter is wrong.
    Rejected(String),
    /// Something else went wrong with the model: it trapped, met a limit or is not there.
    Failed(String),
    /// The test rows can't be read or told apart; this is never a model's doing.
    Rows(String),
}

/// The version that the alias points at.
#[derive(Clone, Debug)]
pub struct Current {
    /// Its number.
    pub version: u32,
    /// Its bundle's address.
    pub bundle: String,
    /// Of that bundle, or why it can't be read.
    pub manifest: Result<Manifest, String>,
}

/// Test rows, in batches.
pub type Batches = Box<dyn Iterator<Item = Result<Table, String>>>;

/// What evaluating needs of the outside.
pub struct Outside<'a> {
    /// The test rows, from the first one.
    pub test: &'a mut dyn FnMut() -> Result<Batches, String>,
    /// Predictions by the model with this bundle.
    pub predict: &'a mut dyn FnMut(&str, Table) -> Result<Table, Refusal>,
    /// Hears how many predictions were made; while they are measured, it hears the same again.
    pub progress: &'a mut dyn FnMut(u64),
}
