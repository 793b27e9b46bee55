//! What a client asks for when it asks for a run, and the run's request made of it.
//!
//! ```json
//! {
//!   "kind": "train",
//!   "model": "penguins",
//!   "data": [{"name": "penguins.csv", "digest": "…", "media_type": "text/csv"}],
//!   "parameters": {"preprocess": {"target": "species"}},
//!   "transforms": ["…"],
//!   "seed": 0
//! }
//! ```
//!
//! Parameters are those of the stages themselves, as docs/stages.md has them.

use std::{collections::BTreeMap, path::Path};

use anyhow::ensure;
use septet_core::{
    contract::{Artifact, Digest, ENDINGS, Stage},
    media::media_type,
    pipeline::{ModelRef, Pinned, PinnedModel, Pipeline, RunKind, RunRequest, Source},
};
use septet_spin_kit::reply::Refusal;
use serde::Deserialize;
use serde_json::Value;

/// Parts of one run at most.
const MOST_PARTS: usize = 1000;

/// The longest name of a part, in bytes.
const LONGEST_NAME: usize = 255;

/// A run as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    kind: RunKind,
    model: String,
    data: Vec<Part>,
    #[serde(default)]
    parameters: BTreeMap<Stage, Value>,
    #[serde(default)]
    transforms: Vec<Digest>,
    #[serde(default)]
    seed: u64,
}

/// A part of the data, which is in the store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
    digest: Digest,
    #[serde(default)]
    media_type: Option<String>,
}

impl Wish {
    /// Reads a request in JSON.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let wish: Self = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad(format!("the body can't be read: {error}")))?;
        wish.check().map_err(|error| bad(&error))?;
        Ok(wish)
    }

    fn check(&self) -> anyhow::Result<()> {
        let parts = self.data.len();
        ensure!(
            (1..=MOST_PARTS).contains(&parts),
            "data has {parts} parts: it must be 1 to {MOST_PARTS}"
        );
        for part in &self.data {
            part.check()?;
        }
        let model: ModelRef = self.model.parse()?;
        ensure!(
            self.kind != RunKind::Train || self.model == model.name,
            "a train run makes a version: its model is a name alone"
        );
        ensure!(
            self.transforms.is_empty() || self.kind == RunKind::Train,
            "only a train run takes transforms: a model has its own"
        );
        Ok(())
    }

    /// The request of the run. Its data must be in the store, and its model where it needs one.
    pub(crate) async fn request(
        self,
        pipeline: &Pipeline,
        components: BTreeMap<Stage, Digest>,
    ) -> Result<RunRequest, Refusal> {
        let mut sources = Vec::new();
        for part in &self.data {
            sources.push(part.source(pipeline).await?);
        }
        let asked: ModelRef = self.model.parse().map_err(|error| bad(&error))?;
        let mut transforms = self.transforms;
        let model = if self.kind == RunKind::Train {
            None
        } else {
            let state = pipeline.registry().state(&asked.name).await?;
            let version = state.find(&asked.selector).cloned();
            let version = version.map_err(|error| Refusal::missing(format!("{error:#}")))?;
            transforms = version.pinned.transforms();
            Some(PinnedModel {
                name: asked.name.clone(),
                asked: asked.selector.to_string(),
                version: version.pinned,
            })
        };
        let request = RunRequest {
            kind: self.kind,
            name: asked.name,
            sources,
            parameters: self.parameters,
            seed: self.seed,
            components,
            model,
            transforms,
            created: pipeline.timestamp(),
            tests: 0,
            declared: None,
            pinned: Pinned::default(),
            trace: None,
        };
        request.complete().map_err(|error| bad(&error))
    }
}

/// The request is wrong.
fn bad(error: &anyhow::Error) -> Refusal {
    Refusal::bad(format!("{error:#}"))
}

impl Part {
    fn check(&self) -> anyhow::Result<()> {
        let name = &self.name;
        let plain = !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\'));
        ensure!(
            plain && (1..=LONGEST_NAME).contains(&name.len()),
            "'{}' can't be the name of a part: it is a file's, without a folder",
            septet_core::text::clean(name, 80)
        );
        self.media_type().map(|_| ())
    }

    fn media_type(&self) -> anyhow::Result<String> {
        if let Some(given) = &self.media_type {
            ensure!(
                given.len() <= 255 && !given.contains(|c: char| c.is_control()),
                "the media type of '{}' is too long or no text",
                self.name
            );
            return Ok(given.clone());
        }
        let name = Path::new(&self.name);
        let ending = name.extension().and_then(|ending| ending.to_str());
        ensure!(
            ending.is_some_and(|ending| ENDINGS.contains(&ending)),
            "'{}' ends with none of {}: say its media_type",
            self.name,
            ENDINGS.join(", ")
        );
        Ok(media_type(name).to_owned())
    }

    async fn source(&self, pipeline: &Pipeline) -> Result<Source, Refusal> {
        let size = pipeline.store().blobs.touch(&self.digest).await?;
        let size = size.ok_or_else(|| {
            Refusal::bad(format!(
                "the bytes of '{}' ({}) are not in the store: PUT them to /blobs first",
                self.name,
                self.digest.short()
            ))
        })?;
        Ok(Source {
            label: self.name.clone(),
            artifact: Artifact {
                name: "source".to_owned(),
                digest: self.digest,
                size,
                media_type: self.media_type().map_err(|error| bad(&error))?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        format!("{:?}", Wish::read(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn a_wish_is_checked_before_anything_is_done() {
        let digest = Digest::of(b"a");
        let of = |kind: &str, model: &str, name: &str| {
            format!(
                r#"{{"kind":"{kind}","model":"{model}","data":[{{"name":"{name}","digest":"{digest}"}}]}}"#
            )
        };
        let wish = Wish::read(of("train", "m", "a.csv").as_bytes()).unwrap();
        assert_eq!(wish.data[0].media_type().unwrap(), "text/csv");
        Wish::read(of("predict", "m@3", "a.jsonl").as_bytes()).unwrap();
        assert!(refused(&of("train", "m@3", "a.csv")).contains("a name alone"));
        assert!(refused(&of("train", "m", "a.txt")).contains("media_type"));
        assert!(refused(&of("train", "m", "../a.csv")).contains("without a folder"));
        assert!(refused(&of("drain", "m", "a.csv")).contains("can't be read"));
        assert!(refused(r#"{"kind":"train","model":"m","data":[]}"#).contains("0 parts"));
        assert!(refused("[").contains("can't be read"));
    }
}
