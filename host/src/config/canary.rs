//! `[canary]`: from where on a component that is tried is worse than what is in force.

use septet::pipeline::Bounds;
use serde::Deserialize;

/// `[canary]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CanarySettings {
    min_calls: Option<u64>,
    error_margin: Option<f64>,
    latency_factor: Option<f64>,
    significance: Option<f64>,
}

impl CanarySettings {
    /// The bounds that these settings give.
    pub(crate) fn bounds(&self) -> anyhow::Result<Bounds> {
        let default = Bounds::default();
        let bounds = Bounds {
            min_calls: self.min_calls.unwrap_or(default.min_calls),
            error_margin: self.error_margin.unwrap_or(default.error_margin),
            latency_factor: self.latency_factor.unwrap_or(default.latency_factor),
            significance: self.significance.unwrap_or(default.significance),
        };
        bounds.check()?;
        Ok(bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_defaults_and_are_checked() {
        let read = |text: &str| toml::from_str::<CanarySettings>(text).unwrap().bounds();
        assert_eq!(read("").unwrap(), Bounds::default());
        assert_eq!(read("min_calls = 7").unwrap().min_calls, 7);
        for (bad, name) in [
            ("min_calls = 0", "min_calls"),
            ("error_margin = -0.1", "error_margin"),
            ("latency_factor = 0.9", "latency_factor"),
            ("significance = 1.0", "significance"),
            ("significance = nan", "significance"),
        ] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{name} of [canary]")), "{error}");
        }
    }
}
