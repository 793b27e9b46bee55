//! Where to send what.

use std::fmt;

use url::Url;

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// One place that takes traces or logs by OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Where a batch is posted to.
    pub url: Url,
    /// Headers of each request: they may hold a key.
    pub headers: Vec<(String, Secret)>,
}

/// What is exported, and as what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where spans are sent, if anywhere.
    pub traces: Option<Collector>,
    /// Where log lines are sent, if anywhere.
    pub logs: Option<Collector>,
    /// Application Insights' connection string.
    pub insights: Option<Secret>,
    /// Which traces are recorded.
    pub sampling: super::Sampling,
    /// `service.name`.
    pub service: String,
    /// Further attributes of the process.
    pub attributes: Vec<(String, String)>,
}

impl Settings {
    /// Whether nothing is to be sent anywhere.
    pub const fn is_off(&self) -> bool {
        self.traces.is_none() && self.logs.is_none() && self.insights.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("key".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.reveal(), "key");
    }
}
