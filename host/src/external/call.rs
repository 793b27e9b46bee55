//! One call of an external stage: what it is given, and what its answer becomes.
//!
//! The answer goes through the same checks as a component's: what it wrote or was given, names, figures,
//! messages and proposals within the scope of the call.

use std::{collections::BTreeMap, fmt::Display, io::Read, sync::Arc, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use septet_core::outcome::{self, Answered};

use super::{
    command,
    definition::{External, Externals, Way},
    document::{Answer, Output, Proposal},
    door::Visit,
    folder::Folder,
    http, queue,
};
use crate::{
    capability::{
        Scope,
        bindings::septet::capability::{
            queue as queues,
            registry_propose::{self, AliasChange},
        },
        blob_write::Written,
        clean,
        log::Sink,
        queue::Outbox,
        registry_propose::Proposals,
    },
    contract::{
        Artifact, BUNDLE_TYPE, Blame, Call, Disposition, Executed, Metric, Proposal as Proposed,
        Stage, StageMessage,
    },
    stage::{Exceeded, Limits, Pulse},
    store::Blobs,
};

/// The media type of an ONNX model.
pub(crate) const ONNX: &str = "application/onnx";

/// How the first note of each outcome of an external stage begins.
pub const NOT_SANDBOXED: &str = "external: not sandboxed";

/// How much of an output is copied at once.
const PIECE: usize = 1 << 20;

/// What a call stands on.
pub(crate) struct Around<'a> {
    pub(crate) externals: &'a Externals,
    pub(crate) blobs: &'a Arc<dyn Blobs>,
    pub(crate) limits: &'a Limits,
    pub(crate) pulse: &'a Pulse,
    pub(crate) log: Sink,
    pub(crate) scope: Scope,
    /// Whether it is a copy of a call, whose outcome counts for nothing.
    pub(crate) apart: bool,
}

impl Around<'_> {
    /// What the call is known by outside: the same for the same attempt, however often it is made.
    pub(super) fn id(&self, call: &Call) -> String {
        let (origin, stage) = (&call.origin, call.stage);
        let apart = if self.apart { "/copy" } else { "" };
        format!(
            "{}/{stage}/{}/{}{apart}",
            origin.run, origin.unit, origin.attempt
        )
    }
}

/// How it ended, before anything of it is believed.
pub(super) struct Ended {
    pub(super) how: How,
    /// The addresses of the call, where it had some.
    pub(super) visit: Option<Visit>,
    pub(super) peak_memory_bytes: u64,
}

impl Ended {
    /// It came to nothing.
    pub(super) const fn not(disposition: Disposition) -> Self {
        Self {
            how: How::Not(disposition),
            visit: None,
            peak_memory_bytes: 0,
        }
    }
}

/// What it said, and what it wrote.
pub(super) enum How {
    /// It says that it is done; its files are in the folder, where it has one.
    Done(Box<Answer>, Option<Folder>),
    /// It came to nothing.
    Not(Disposition),
}

impl External {
    /// Does one call. An error is the host's fault.
    pub(crate) async fn execute(
        &self,
        call: &Call,
        around: &Around<'_>,
    ) -> anyhow::Result<Executed> {
        let begun = Instant::now();
        let ended = match self.way() {
            Way::Command { .. } => command::run(self, call, around).await?,
            Way::Http { .. } => http::run(self, call, around).await?,
            Way::Queue { .. } => queue::run(self, call, around).await?,
        };
        let mut executed = Executed {
            disposition: Disposition::Rejected {
                reason: String::new(),
            },
            messages: Vec::new(),
            proposals: Vec::new(),
            used: BTreeMap::new(),
            peak_memory_bytes: ended.peak_memory_bytes,
            seconds: 0.0,
        };
        executed.disposition = match ended.how {
            How::Not(disposition) => disposition,
            How::Done(answer, folder) => {
                let left = Left {
                    folder: folder.as_ref(),
                    visit: ended.visit.as_ref(),
                };
                match self.settle(call, *answer, left, around).await? {
                    Ok(settled) => {
                        executed.messages = settled.messages;
                        executed.proposals = settled.proposals;
                        Disposition::Ok(settled.outcome)
                    }
                    Err(reason) => failed(around.limits, reason),
                }
            }
        };
        executed.seconds = begun.elapsed().as_secs_f64();
        Ok(executed)
    }

    /// What it gave, if all of it is sound; else what is not, in one line.
    async fn settle(
        &self,
        call: &Call,
        answer: Answer,
        from: Left<'_>,
        around: &Around<'_>,
    ) -> anyhow::Result<Result<Settled, String>> {
        let limits = around.limits;
        let count = Exceeded::check("outputs", limits.outputs, answer.outputs.len() as u64);
        if let Err(limit) = count {
            return Ok(Err(limit.to_string()));
        }
        let mut written: Vec<Artifact> = Vec::new();
        let mut left = limits.written_bytes;
        for output in &answer.outputs {
            let taken = take(call, output, from, left, around).await?;
            let artifact = match taken {
                Ok(artifact) => artifact,
                Err(why) => {
                    let name = clean(&output.name, 80);
                    return Ok(Err(format!("output '{name}': {why}")));
                }
            };
            left = left.saturating_sub(artifact.size);
            written.push(artifact);
        }
        let outputs = written.iter().map(|artifact| outcome::Output {
            name: artifact.name.clone(),
            digest: artifact.digest.to_string(),
            size: artifact.size,
            media_type: artifact.media_type.clone(),
        });
        let metrics = answer.metrics.into_iter().map(|metric| Metric {
            name: metric.name,
            value: metric.value,
        });
        let not_sandboxed = format!("{NOT_SANDBOXED} ({})", self.shown());
        let notes = std::iter::once(not_sandboxed).chain(answer.notes);
        let answered = Answered {
            outputs: outputs.collect(),
            metrics: metrics.collect(),
            notes: notes.collect(),
        };
        let known = |artifact: &Artifact| written.contains(artifact);
        let outcome = match outcome::check(answered, limits, &known) {
            Ok(outcome) => outcome,
            Err(why) => return Ok(Err(why)),
        };
        let mut outbox = Outbox::default();
        for message in answer.messages {
            let label = clean(&message.label, 80);
            let body = message.body.into_bytes();
            let labels = &around.scope.labels;
            if let Err(why) = outbox.accept(message.label, body, labels, limits) {
                let why = match why {
                    queues::Error::AccessDenied => "the stage has no such queue".to_owned(),
                    queues::Error::TooLarge(most) => format!("only {most} are taken"),
                    queues::Error::Other(why) => why,
                };
                return Ok(Err(format!("its message for '{label}': {why}")));
            }
        }
        let mut proposals = Proposals::default();
        for proposal in answer.proposals {
            let (wanted, model) = (proposed(&proposal), clean(&proposal.model, 80));
            let (scope, none) = (&around.scope, Written::default());
            if let Err(why) = proposals.accept(wanted, scope, &none, limits) {
                let why = match why {
                    registry_propose::Error::AccessDenied => {
                        "model, alias and bundle must be those of the invocation".to_owned()
                    }
                    registry_propose::Error::TooLarge(most) => format!("only {most} are taken"),
                    registry_propose::Error::Other(why) => why,
                };
                return Ok(Err(format!("its proposal for '{model}': {why}")));
            }
        }
        Ok(Ok(Settled {
            outcome,
            messages: outbox.take(),
            proposals: proposals.take(),
        }))
    }
}

/// Where the bytes of outputs are.
#[derive(Clone, Copy)]
struct Left<'a> {
    folder: Option<&'a Folder>,
    visit: Option<&'a Visit>,
}

/// What was found sound.
struct Settled {
    outcome: crate::contract::Outcome,
    messages: Vec<StageMessage>,
    proposals: Vec<Proposed>,
}

fn proposed(proposal: &Proposal) -> registry_propose::Proposal {
    let summary = match &proposal.summary {
        serde_json::Value::Null => "{}".to_owned(),
        summary => summary.to_string(),
    };
    registry_propose::Proposal {
        model: proposal.model.clone(),
        bundle_digest: proposal.bundle.to_string(),
        summary,
        change: proposal.change.as_ref().map(|change| AliasChange {
            alias: change.alias.clone(),
            expected: change.expected.map(|digest| digest.to_string()),
            reason: change.reason.clone(),
        }),
    }
}

/// Puts an output into the store; the error says in a line why it is not taken.
async fn take(
    call: &Call,
    output: &Output,
    from: Left<'_>,
    left: u64,
    around: &Around<'_>,
) -> anyhow::Result<Result<Artifact, String>> {
    let most = left.min(around.limits.blob_bytes);
    let media_type = output.media_type.clone().unwrap_or_else(|| {
        let path = output.path.as_deref().unwrap_or_default();
        septet_core::media::media_type(std::path::Path::new(path)).to_owned()
    });
    let name_bytes = around.limits.name_bytes;
    if media_type != clean(&media_type, name_bytes) || media_type.is_empty() {
        return Ok(Err("its media type is none".to_owned()));
    }
    let mut source: Box<dyn Read + Send> = match (&output.path, &output.data, from.folder) {
        (Some(path), None, Some(folder)) => match folder.open(path, most) {
            Ok(file) => Box::new(file),
            Err(why) => return Ok(Err(why)),
        },
        (None, Some(data), _) => match STANDARD.decode(data) {
            Ok(bytes) => Box::new(std::io::Cursor::new(bytes)),
            Err(_) => return Ok(Err("its data are no base64".to_owned())),
        },
        (None, None, _) => {
            let put = output.digest.and_then(|digest| {
                let size = from.visit?.size_of(&digest)?;
                Some((digest, size))
            });
            if let Some((digest, size)) = put {
                let first = around.blobs.open(&digest).await?.read(0, 16).await?;
                let artifact = Artifact {
                    name: output.name.clone(),
                    digest,
                    size,
                    media_type,
                };
                let unfit = unfit(call.stage, &output.name, &artifact.media_type, &first);
                return Ok(unfit.map_or(Ok(artifact), Err));
            }
            let given = |input: &&Artifact| Some(input.digest) == output.digest;
            let Some(input) = call.inputs.iter().find(given) else {
                return Ok(Err(
                    "it has no bytes, and its digest is neither of an input nor of what was put"
                        .to_owned(),
                ));
            };
            return Ok(Ok(Artifact {
                name: output.name.clone(),
                ..input.clone()
            }));
        }
        (Some(_), _, None) => return Ok(Err("a path is for commands: give its data".to_owned())),
        (Some(_), Some(_), _) => return Ok(Err("it has a path and data".to_owned())),
    };
    let mut writer = around.blobs.create().await?;
    let mut piece = vec![0; PIECE];
    let (mut size, mut first) = (0_u64, Vec::new());
    loop {
        let count = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Ok(Err(format!("it can't be read: {error}"))),
        };
        let read = piece.get(..count).unwrap_or_default();
        size += count as u64;
        if size > most {
            return Ok(Err(format!(
                "it has more than the {most} bytes that are taken"
            )));
        }
        if first.len() < 16 {
            first.extend(read.iter().take(16));
        }
        writer.write(read).await?;
    }
    if let Some(why) = unfit(call.stage, &output.name, &media_type, &first) {
        return Ok(Err(why));
    }
    let (digest, size) = writer.finish().await?;
    if output.digest.is_some_and(|said| said != digest) || output.size.is_some_and(|s| s != size) {
        return Ok(Err("it has another digest or size than it says".to_owned()));
    }
    Ok(Ok(Artifact {
        name: output.name.clone(),
        digest,
        size,
        media_type,
    }))
}

/// Why a model is not taken. Whoever loads a pickle runs what is in it, so that none becomes a version.
fn unfit(stage: Stage, name: &str, media_type: &str, first: &[u8]) -> Option<String> {
    if stage != Stage::Train || name != "bundle" {
        return None;
    }
    // Pickles from protocol 2 on begin so; joblib and torch wrap them in zlib, gzip or zip.
    let pickled = matches!(
        first,
        [0x80, 2..=5, ..] | [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]
    ) || first.starts_with(b"PK\x03\x04")
        || first.starts_with(&[0x1f, 0x8b]);
    match media_type {
        BUNDLE_TYPE if first.starts_with(b"SEPTETM1") => None,
        ONNX if !pickled => None,
        _ => Some(format!(
            "a model is ONNX ({ONNX}) or a Septet bundle, never pickle: write it with skl2onnx"
        )),
    }
}

/// A failure that is the external stage's.
pub(super) fn failed(limits: &Limits, reason: impl Display) -> Disposition {
    Disposition::Failed {
        reason: clean(&reason.to_string(), limits.text_bytes),
        blame: Blame::Guest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_never_pickle() {
        let unfit = |media_type: &str, first: &[u8]| {
            unfit(Stage::Train, "bundle", media_type, first).is_some()
        };
        assert!(!unfit(ONNX, &[8, 9, 0x12, 4]));
        assert!(!unfit(BUNDLE_TYPE, b"SEPTETM1...."));
        assert!(unfit(BUNDLE_TYPE, b"\x80\x04\x95"));
        assert!(unfit(ONNX, b"\x80\x04\x95"));
        assert!(unfit(ONNX, b"PK\x03\x04"));
        assert!(unfit(ONNX, b"\x78\x9c"));
        assert!(unfit("application/octet-stream", b"anything"));
        assert!(super::unfit(Stage::Infer, "bundle", "text/csv", b"\x80\x04").is_none());
    }
}
