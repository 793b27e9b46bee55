//! What a user may set.

use septet_kit::show::shown;
use serde::Deserialize;

/// A format of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// RFC 4180, with other delimiters too.
    Csv,
    /// One flat object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// As in the parameters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "json-lines",
            Self::Parquet => "parquet",
        }
    }
}

/// The stage's parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Share of rows, from 0 to 1, that may be set apart before the source is rejected.
    #[serde(default = "default_max_quarantine")]
    pub max_quarantine: f64,
    /// One ASCII character or `tab`; found on the header line where it is not given.
    #[serde(default)]
    pub delimiter: Option<String>,
    /// `csv`, `json-lines` or `parquet`; found from the first bytes where it is not given.
    #[serde(default)]
    pub format: Option<Format>,
}

const fn default_max_quarantine() -> f64 {
    0.1
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            max_quarantine: default_max_quarantine(),
            delimiter: None,
            format: None,
        }
    }
}

impl Parameters {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.max_quarantine) {
            return Err(format!(
                "max_quarantine is {}: it is a share from 0 to 1",
                self.max_quarantine
            ));
        }
        self.delimiter_byte().map(drop)
    }

    /// The delimiter, if it is given.
    pub fn delimiter_byte(&self) -> Result<Option<u8>, String> {
        let Some(text) = &self.delimiter else {
            return Ok(None);
        };
        match (text.as_str(), text.as_bytes()) {
            ("tab" | "\\t", _) => Ok(Some(b'\t')),
            (_, [byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => {
                Ok(Some(*byte))
            }
            _ => Err(format!(
                "delimiter is '{}': it is one character such as , or ; or the word tab",
                shown(text, 20)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        let parameters = |text: &str| serde_json::from_str::<Parameters>(text).unwrap();
        assert!(parameters("{}").check().is_ok());
        assert!(parameters(r#"{"max_quarantine":1.5}"#).check().is_err());
        let delimiter =
            |text: &str| parameters(&format!(r#"{{"delimiter":"{text}"}}"#)).delimiter_byte();
        assert_eq!(delimiter("tab"), Ok(Some(b'\t')));
        assert_eq!(delimiter(";"), Ok(Some(b';')));
        assert!(delimiter(";;").is_err());
        assert!(delimiter("").is_err());
        assert!(serde_json::from_str::<Parameters>(r#"{"x":1}"#).is_err());
        let format = parameters(r#"{"format":"json-lines"}"#).format.unwrap();
        assert_eq!(format.name(), "json-lines");
    }
}
