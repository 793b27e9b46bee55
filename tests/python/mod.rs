//! What Septet has for programs in Python: the package that makes functions stages.
//!
//! # Layout
//! - [`package`]: `python/septet` by its own tests, and its tables against the kit's
//! - [`split`]: `septet split` on scripts of several shapes, and on hostile ones

mod package;
mod split;

use std::{path::PathBuf, sync::OnceLock};

use crate::hosts::oracles::{installed, venv};

/// The interpreter that has pandas and pyarrow; none where Python's registry is out of reach.
pub(crate) fn pandas() -> Option<&'static PathBuf> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let folder = installed("pandas", "python", &["requirements.txt"], venv)?;
            Some(folder.join("bin/python"))
        })
        .as_ref()
}
