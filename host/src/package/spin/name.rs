//! The applications' components, by the names that spin.toml gives them.

use std::{fmt, str::FromStr};

use anyhow::bail;

use crate::contract::Stage;

/// A component of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// The front door: data, runs and models.
    Front,
    /// A stage behind its gateway.
    Stage(Stage),
    /// Predictions of registered models.
    Serving,
}

impl App {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let stages = Stage::ALL.into_iter().map(Self::Stage);
        std::iter::once(Self::Front)
            .chain(stages)
            .chain([Self::Serving])
            .collect()
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Stage(stage) => stage.name(),
            Self::Serving => "serving",
        }
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for App {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(app) = Self::all().into_iter().find(|app| app.name() == text) {
            return Ok(app);
        }
        let names: Vec<&str> = Self::all().into_iter().map(Self::name).collect();
        bail!(
            "there is no '{text}' on Spin: there are {}",
            names.join(", ")
        )
    }
}
