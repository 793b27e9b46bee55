//! What is wrong with a package.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong: in which file, what it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file, from the package's folder.
    pub file: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Finding {
    pub(super) fn new(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}
