//! `[swap]`: components that take the place of stages'.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[swap]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SwapSettings {
    /// Watched by `septet serve`.
    pub(crate) folder: Option<PathBuf>,
}

impl SwapSettings {
    /// The paths as they are meant from the folder of the settings.
    pub(crate) fn rebase(&mut self, from: &Path) {
        self.folder = self.folder.take().map(|folder| from.join(folder));
    }
}
