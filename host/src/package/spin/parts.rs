//! The components that come with the program for Spin.

use anyhow::Context as _;

use crate::components::SPIN;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// HTTP, and the pipeline's protocol around a call.
    Gateway,
    /// The pipeline over HTTP.
    Front,
    /// Predictions over HTTP.
    Serving,
    /// What a stage may ask for.
    Capabilities,
    /// Predictions by the infer component beside.
    Models,
    /// One transform beside; others are asked of the next.
    Transforms,
}

impl Part {
    /// Its package's name.
    pub(super) const fn package(self) -> &'static str {
        match self {
            Self::Gateway => "septet-spin-gateway",
            Self::Front => "septet-spin-front",
            Self::Serving => "septet-spin-serving",
            Self::Capabilities => "septet-spin-capabilities",
            Self::Models => "septet-spin-models",
            Self::Transforms => "septet-spin-transforms",
        }
    }

    /// Its bytes.
    pub(super) fn bytes(self) -> anyhow::Result<&'static [u8]> {
        let found = SPIN.iter().find(|(package, _)| *package == self.package());
        let found =
            found.with_context(|| format!("septet was built without {}", self.package()))?;
        Ok(found.1)
    }
}
