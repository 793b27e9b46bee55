//! The words that the host's parts share: stages, digests, artifacts, outcomes.
//!
//! Plain data that mirrors `wit/`. This module must not know wasmtime, a trigger or a backend.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// The seven stages, in the order in which data passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A raw source becomes a typed table.
    Ingest,
    /// Tables become train rows, test rows and a fitted preprocessing.
    Preprocess,
    /// Train rows become a model bundle.
    Train,
    /// A bundle and test rows become metrics and a verdict.
    Evaluate,
    /// A bundle becomes a version and, where the gate passed, the champion.
    Deploy,
    /// Rows become predictions.
    Infer,
    /// New rows are compared with those of the training.
    Monitor,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 7] = [
        Self::Ingest,
        Self::Preprocess,
        Self::Train,
        Self::Evaluate,
        Self::Deploy,
        Self::Infer,
        Self::Monitor,
    ];

    /// The queues of its own that it may send to.
    pub const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["fan-out"],
            Self::Monitor => &["alerts"],
            _ => &[],
        }
    }

    /// The stage's name, which is also its queue's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Preprocess => "preprocess",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Deploy => "deploy",
            Self::Infer => "infer",
            Self::Monitor => "monitor",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Stage {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.name() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|stage| stage.name()).collect();
                anyhow::anyhow!(
                    "there is no stage '{text}': choose one of {}",
                    names.join(", ")
                )
            })
    }
}

/// A sha-256: the address of a blob, a component or a piece of work.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere, in pieces.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first twelve hexadecimal digits, for people.
    pub fn short(&self) -> String {
        hex::encode(self.0).chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Digest {
    type Err = anyhow::Error;

    /// Lower-case hexadecimal only: a digest has one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !lower || hex::decode_to_slice(text, &mut bytes).is_err() {
            let shown: String = text.chars().take(80).collect();
            anyhow::bail!(
                "'{}' is not a sha-256 digest in lower-case hexadecimal",
                shown.escape_debug()
            );
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Named, digested bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// What it is to the stage: `source`, `table`, `bundle`, …
    pub name: String,
    /// Its address.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// As in RFC 6838.
    pub media_type: String,
}

impl Artifact {
    /// Whether it is the same bytes, said to be of the same type, whatever it is called.
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
            && self.size == other.size
            && self.media_type == other.media_type
    }
}

/// A named figure of an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// As scikit-learn names it, where it does.
    pub name: String,
    /// Always finite in a committed outcome.
    pub value: f64,
}

/// What a stage gave back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Each one was written by the call or was an input of it.
    pub outputs: Vec<Artifact>,
    /// Figures.
    pub metrics: Vec<Metric>,
    /// Sentences for the reader of the run's report.
    pub notes: Vec<String>,
}

/// A message that a stage sent through its `queue` capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageMessage {
    /// Which of the granted queues.
    pub label: String,
    /// Opaque to the host; hexadecimal in a record, because it may be any bytes. Empty where it
    /// is claimed.
    #[serde(with = "hex::serde")]
    pub body: Vec<u8>,
    /// Where the body is when it is too large for a queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// A claim check: a blob in the place of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its address.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// A change of an alias that a stage proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasChange {
    /// `champion`, for one.
    pub alias: String,
    /// The bundle that it must point at now; none where it must not be set.
    pub expected: Option<Digest>,
    /// For the alias log.
    pub reason: String,
}

/// A version that a stage proposed to register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The model's name.
    pub model: String,
    /// The bundle's address.
    pub bundle: Digest,
    /// JSON object, recorded with the version.
    pub summary: String,
    /// The alias to move to it.
    pub change: Option<AliasChange>,
}

/// How a call ended, and so what becomes of the message that asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// Done; may be reused.
    Ok(Outcome),
    /// The input can never work: to poison at once.
    Rejected {
        /// For the user.
        reason: String,
    },
    /// Not now.
    Retry {
        /// Milliseconds to wait.
        after: u64,
        /// For the record.
        reason: String,
    },
    /// A fault of the guest or the host: counted, then poison.
    Failed {
        /// For the record.
        reason: String,
        /// Whose fault it was.
        blame: Blame,
    },
}

/// Whose fault a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The component: a trap, a limit, rubbish in its answer, or its own `failed`.
    Guest,
    /// The host or what it stands on.
    Host,
}

/// The value of an alias at the time an invocation began.
///
/// The revision is part of it so that an evaluation against a champion that was put back by a
/// rollback is not answered by the evaluation before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedAlias {
    /// The model's name.
    pub model: String,
    /// The alias.
    pub alias: String,
    /// How many times the alias had been moved.
    pub revision: u64,
    /// What it points at; none where it is not set.
    pub version: Option<PinnedVersion>,
}

/// A registered version, as an invocation sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedVersion {
    /// From 1.
    pub number: u32,
    /// The bundle's address.
    pub bundle: Digest,
    /// The bundle's size in bytes.
    pub bundle_size: u64,
    /// The infer component that this version is predicted with.
    pub infer: Digest,
    /// JSON object recorded with the version.
    pub summary: String,
}

/// Endings of files that hold data which ingest reads.
pub const ENDINGS: [&str; 5] = ["csv", "tsv", "jsonl", "ndjson", "parquet"];

/// The algorithm of a model that came as ONNX, as its bundle and its version's summary tell it.
pub const ONNX_ALGORITHM: &str = "onnx";

/// The media type of a model bundle.
pub const BUNDLE_TYPE: &str = "application/vnd.septet.model-bundle";

impl PinnedVersion {
    /// Its bundle, as a stage takes it.
    pub fn artifact(&self) -> Artifact {
        Artifact {
            name: "bundle".to_owned(),
            digest: self.bundle,
            size: self.bundle_size,
            media_type: BUNDLE_TYPE.to_owned(),
        }
    }

    /// Whether its bundle holds an ONNX model, which its own infer component reads and no other.
    pub fn is_onnx(&self) -> bool {
        let summary: serde_json::Value = serde_json::from_str(&self.summary).unwrap_or_default();
        summary.get("algorithm").and_then(|name| name.as_str()) == Some(ONNX_ALGORITHM)
    }

    /// The transforms that its rows go through, as its summary names them.
    pub fn transforms(&self) -> Vec<Digest> {
        let summary: serde_json::Value = serde_json::from_str(&self.summary).unwrap_or_default();
        let transforms = summary.get("transforms").and_then(|list| list.as_array());
        let digests = transforms.into_iter().flatten();
        let digests = digests.filter_map(serde_json::Value::as_str);
        digests.filter_map(|digest| digest.parse().ok()).collect()
    }
}

/// All that a call of a stage needs and all that its result may depend on.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which stage.
    pub stage: Stage,
    /// The component that runs it.
    pub component: Digest,
    /// In order; the order counts.
    pub inputs: Vec<Artifact>,
    /// Canonical JSON (RFC 8785) object.
    pub parameters: String,
    /// For all of the stage's randomness.
    pub seed: u64,
    /// The registry as this call may see it.
    pub aliases: Vec<PinnedAlias>,
    /// The infer component with which the bundles among `inputs` are predicted.
    pub infer: Digest,
    /// Digests of the transforms that the call may apply.
    pub transforms: Vec<Digest>,
    /// Who asks, for logs and limits only: no result may depend on it.
    pub origin: Origin,
}

/// Where a call comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The run's identifier.
    pub run: String,
    /// Which of the stage's invocations in the run.
    pub unit: u32,
    /// From 1.
    pub attempt: u32,
}

/// What a call did.
#[derive(Clone, Debug)]
pub struct Executed {
    /// How it ended.
    pub disposition: Disposition,
    /// Sent through `queue`, in order; empty unless `disposition` is `Ok`.
    pub messages: Vec<StageMessage>,
    /// Proposed through `registry-propose`, in order; empty unless `disposition` is `Ok`.
    pub proposals: Vec<Proposal>,
    /// How often each granted capability was called.
    pub used: BTreeMap<String, u64>,
    /// The most linear memory the component had.
    pub peak_memory_bytes: u64,
    /// Wall clock.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Digest::of(b"septet");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
        assert!("".parse::<Digest>().is_err());
        assert!("zz".parse::<Digest>().is_err());
    }

    #[test]
    fn stages_are_found_by_name() {
        for stage in Stage::ALL {
            assert_eq!(stage.name().parse::<Stage>().unwrap(), stage);
        }
        assert!(
            "Train"
                .parse::<Stage>()
                .unwrap_err()
                .to_string()
                .contains("'Train'")
        );
    }
}
