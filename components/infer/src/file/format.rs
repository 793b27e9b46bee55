//! Names and media types of the formats.

use septet_kit::arrow;
use serde::Deserialize;

/// The format of a file of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Comma-separated, with a header; a null is an empty field.
    #[default]
    Csv,
    /// One JSON object a row, each with all columns.
    JsonLines,
    /// Apache Parquet, compressed with snappy.
    Parquet,
    /// Arrow IPC.
    Arrow,
}

impl Format {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::JsonLines => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => arrow::MEDIA_TYPE,
        }
    }
}
