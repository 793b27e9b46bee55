//! Invocation and outcome as JSON.
//!
//! The keys are those of `wit/`. What comes back was written by anybody: it is bounded before it is read,
//! unknown keys are refused, and nothing of it is believed here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::contract::{Artifact, Call, Digest, PinnedAlias};

/// The largest outcome that is read from a file, in bytes.
pub(super) const MAX_OUTCOME: u64 = 4 << 20;

/// The largest outcome that is read where outputs come along in base64, in bytes: it is held in memory.
pub(super) const MAX_BODY: u64 = 128 << 20;

/// The largest event in a queue, in bytes.
pub(super) const MAX_EVENT: u64 = 48 << 10;

/// What a stage is asked to do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Asked<'a> {
    stage: &'a str,
    run: &'a str,
    unit: u32,
    attempt: u32,
    inputs: Vec<Input<'a>>,
    parameters: Value,
    seed: u64,
    aliases: Vec<Alias<'a>>,
    /// Where outputs may be put, each under its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Input<'a> {
    name: &'a str,
    digest: Digest,
    size: u64,
    media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Alias<'a> {
    model: &'a str,
    #[serde(rename = "alias")]
    name: &'a str,
    revision: u64,
    version: Option<Version>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Version {
    number: u32,
    bundle: Digest,
    bundle_size: u64,
    summary: Value,
}

/// Where an input's bytes are.
pub(super) enum Place {
    /// A file, from the folder of the call.
    Path(String),
    /// An address, as long as the call lives.
    Url(String),
}

impl<'a> Asked<'a> {
    /// What `call` asks, with its `inputs` and where each of them is.
    pub(super) fn new(call: &'a Call, inputs: &'a [(Artifact, Place)]) -> anyhow::Result<Self> {
        let input = |(artifact, place): &'a (Artifact, Place)| {
            let (path, url) = match place {
                Place::Path(path) => (Some(path.as_str()), None),
                Place::Url(url) => (None, Some(url.as_str())),
            };
            Input {
                name: &artifact.name,
                digest: artifact.digest,
                size: artifact.size,
                media_type: &artifact.media_type,
                path,
                url,
            }
        };
        Ok(Self {
            stage: call.stage.name(),
            run: &call.origin.run,
            unit: call.origin.unit,
            attempt: call.origin.attempt,
            inputs: inputs.iter().map(input).collect(),
            parameters: serde_json::from_str(&call.parameters)?,
            seed: call.seed,
            aliases: call.aliases.iter().map(alias).collect(),
            outputs: None,
        })
    }

    /// The same, with where outputs may be put.
    pub(super) fn putting(self, outputs: String) -> Self {
        Self {
            outputs: Some(outputs),
            ..self
        }
    }
}

fn alias(pinned: &PinnedAlias) -> Alias<'_> {
    let version = pinned.version.as_ref().map(|version| Version {
        number: version.number,
        bundle: version.bundle,
        bundle_size: version.bundle_size,
        summary: serde_json::from_str(&version.summary).unwrap_or_default(),
    });
    Alias {
        model: &pinned.model,
        name: &pinned.alias,
        revision: pinned.revision,
        version,
    }
}

/// What an external stage says that it did, in its own words.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Answer {
    pub(super) outputs: Vec<Output>,
    pub(super) metrics: Vec<Metric>,
    pub(super) notes: Vec<String>,
    pub(super) messages: Vec<Message>,
    pub(super) proposals: Vec<Proposal>,
    /// The input can never work.
    pub(super) rejected: Option<String>,
    /// Not now.
    pub(super) retry: Option<Delay>,
    /// A fault.
    pub(super) failed: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) media_type: Option<String>,
    /// A file, from the folder of the call.
    #[serde(default)]
    pub(super) path: Option<String>,
    /// The bytes, in base64.
    #[serde(default)]
    pub(super) data: Option<String>,
    /// Of what was written, or alone for an input that is given back.
    #[serde(default)]
    pub(super) digest: Option<Digest>,
    #[serde(default)]
    pub(super) size: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) value: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub(super) label: String,
    pub(super) body: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proposal {
    pub(super) model: String,
    pub(super) bundle: Digest,
    #[serde(default)]
    pub(super) summary: Value,
    #[serde(default)]
    pub(super) change: Option<Change>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    pub(super) alias: String,
    #[serde(default)]
    pub(super) expected: Option<Digest>,
    #[serde(default)]
    pub(super) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delay {
    pub(super) milliseconds: u64,
    #[serde(default)]
    pub(super) reason: String,
}

impl Answer {
    /// The answer in these bytes; the error says in a line why it is none.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let wrong = |error: &str| format!("its outcome is no outcome: {error}");
        // A list would be taken for the fields in their order.
        let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if begins.is_some_and(|byte| *byte != b'{') {
            return Err(wrong("it is no object"));
        }
        let answer: Self =
            serde_json::from_slice(bytes).map_err(|error| wrong(&error.to_string()))?;
        let errors = [
            answer.rejected.is_some(),
            answer.retry.is_some(),
            answer.failed.is_some(),
        ];
        let errors = errors.into_iter().filter(|there| *there).count();
        let more = !(answer.outputs.is_empty()
            && answer.metrics.is_empty()
            && answer.messages.is_empty()
            && answer.proposals.is_empty());
        if errors > 1 || errors == 1 && more {
            return Err("its outcome is an outcome and an error at once".to_owned());
        }
        Ok(answer)
    }

    /// Whether it says that it came to nothing.
    pub(super) const fn is_error(&self) -> bool {
        self.rejected.is_some() || self.retry.is_some() || self.failed.is_some()
    }

    /// Why it came to nothing, where it says so.
    pub(super) fn reason(&self) -> Option<&str> {
        let retry = self.retry.as_ref().map(|delay| delay.reason.as_str());
        let reason = self.rejected.as_deref().or(self.failed.as_deref());
        reason.or(retry).filter(|reason| !reason.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_and_what_is_none_is_said() {
        let text = br#"{"outputs":[{"name":"table","media-type":"text/csv","path":"outputs/a"}],
            "metrics":[{"name":"rows","value":1}],"notes":["x"]}"#;
        let answer = Answer::read(text).unwrap();
        assert_eq!(answer.outputs[0].path.as_deref(), Some("outputs/a"));
        assert!(!answer.is_error());
        let answer = Answer::read(br#"{"retry":{"milliseconds":5,"reason":"busy"}}"#).unwrap();
        assert_eq!(answer.reason(), Some("busy"));
        for (text, why) in [
            ("", "EOF"),
            ("[]", "no outcome"),
            ("{\"output\":[]}", "unknown field"),
            ("{\"rejected\":\"a\",\"failed\":\"b\"}", "at once"),
            (
                "{\"rejected\":\"a\",\"metrics\":[{\"name\":\"a\",\"value\":1}]}",
                "at once",
            ),
            (
                "{\"metrics\":[{\"name\":\"a\",\"value\":NaN}]}",
                "no outcome",
            ),
            (&"[".repeat(10_000), "no outcome"),
        ] {
            let error = Answer::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = Answer::read(&bytes);
        }
    }
}
