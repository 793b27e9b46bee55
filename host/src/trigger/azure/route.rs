//! The route of a function over HTTP, as function.json writes it: `api/runs/{id?}`.

use anyhow::ensure;

/// Segments of a route at most.
const MOST: usize = 32;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// This text; cases are not told apart.
    Text(String),
    /// Any one segment.
    One,
    /// Any one segment, or the end.
    Maybe,
    /// Whatever comes.
    Rest,
}

impl Route {
    /// The route behind the app's prefix.
    pub(super) fn parse(prefix: &str, route: &str) -> anyhow::Result<Self> {
        let parts = [prefix, route].into_iter().flat_map(|text| text.split('/'));
        let mut segments = Vec::new();
        for part in parts.filter(|part| !part.is_empty()) {
            ensure!(segments.len() < MOST, "more than {MOST} segments");
            let inner = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            segments.push(match inner {
                Some(inner) if inner.starts_with('*') => Segment::Rest,
                Some(inner) if inner.ends_with('?') => Segment::Maybe,
                // A constraint, as in {id:int}, is the Functions host's to hold.
                Some(_) => Segment::One,
                None => {
                    ensure!(
                        !part.contains(['{', '}']),
                        "'{}' is neither a word nor one {{parameter}}",
                        part.escape_debug()
                    );
                    Segment::Text(part.to_ascii_lowercase())
                }
            });
        }
        Ok(Self(segments))
    }

    /// Whether a path, without its query, fits.
    pub(super) fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        for segment in &self.0 {
            match (segment, parts.next()) {
                (Segment::Rest, _) => return true,
                (Segment::Text(text), Some(part)) if part.eq_ignore_ascii_case(text) => {}
                (Segment::One | Segment::Maybe, Some(_)) | (Segment::Maybe, None) => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_routes() {
        for (prefix, route, fit, others) in [
            ("api", "runs", "/api/runs", ["/runs", "/api/runs/1", "/"]),
            (
                "",
                "api/runs/{id?}",
                "/api/runs",
                ["/api", "/api/runs/1/x", "/x/runs"],
            ),
            (
                "",
                "api/runs/{id?}",
                "/API/runs/7",
                ["/api", "/api/runs/1/x", "/x/runs"],
            ),
            (
                "",
                "predict/{model}",
                "/predict/m",
                ["/predict", "/predict/m/n", "/m"],
            ),
            ("", "a/{*rest}", "/a/b/c", ["/", "/b", "/ab"]),
        ] {
            let route = Route::parse(prefix, route).unwrap();
            assert!(route.matches(fit), "{fit}");
            for other in others {
                assert!(!route.matches(other), "{other}");
            }
        }
        assert!(Route::parse("", "a{b}").is_err());
        assert!(Route::parse("", &"a/".repeat(40)).is_err());
    }
}
