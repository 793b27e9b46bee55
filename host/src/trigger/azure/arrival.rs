//! A blob that was written becomes the runs that the settings want of it.
//!
//! The run's cause is the blob's address and content, so that an event which is delivered twice
//! begins one run.

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    event::{Created, place},
    opened::Ready,
};
use crate::{
    capability::clean,
    contract::Artifact,
    pipeline::RunKind,
    store::azure::CopiedIn,
    trigger::{Part, Wanted, http::is_fault, media_type},
};

/// What becomes of the blobs of a container.
#[derive(Clone, Debug)]
pub struct ContainerRule {
    /// The container.
    pub container: String,
    /// How the names begin of those that are meant.
    pub prefix: String,
    /// What the runs are for.
    pub kind: RunKind,
    /// The model; for a training its name, if it is not to be the settings' or the blob's.
    pub model: Option<String>,
    /// The flags of the command that does the same.
    pub options: Map<String, Value>,
    /// Larger blobs are refused.
    pub most: u64,
}

/// What an event came to.
#[derive(Debug)]
pub(super) enum Arrived {
    /// All is done that is to be done; a line for the log says what.
    Done(String),
    /// It can't become a run, now or later: it is set aside with this reason.
    Refused(String),
}

/// Begins the runs that an event is to begin. An error is the store's, and the event is to come
/// again.
pub(super) async fn arrived(
    ready: &Ready,
    created: &Created,
    trace: Option<&str>,
) -> anyhow::Result<Arrived> {
    let url = clean(created.url.as_str(), 2000);
    let Some(incoming) = &ready.incoming else {
        let why = format!("{url}: this store is in no storage account");
        return Ok(Arrived::Refused(why));
    };
    let Some((container, name)) = place(&created.url, incoming.endpoint()) else {
        let account = incoming.endpoint();
        let why = format!("{url} is not in the account of the store, {account}");
        return Ok(Arrived::Refused(why));
    };
    let fits =
        |rule: &&ContainerRule| rule.container == container && name.starts_with(&rule.prefix);
    let rules: Vec<&ContainerRule> = ready.containers.iter().filter(fits).collect();
    let Some(most) = rules.iter().map(|rule| rule.most).max() else {
        let why = format!("{url}: no [[container]] of septet.toml is for it");
        return Ok(Arrived::Refused(why));
    };
    let etag = created.etag.as_deref();
    let copied = incoming.copy_in(&container, &name, etag, most).await?;
    let (digest, size, etag) = match copied {
        CopiedIn::Copied { digest, size, etag } => (digest, size, etag),
        // Its being gone, or written again, is no fault: another event tells of what came after.
        CopiedIn::Gone => return Ok(Arrived::Done(format!("{url} is not there any more"))),
        CopiedIn::Changed => {
            return Ok(Arrived::Done(format!("{url} was written again or deleted")));
        }
        CopiedIn::TooLarge => {
            let why = format!("{url} has more than the {most} bytes that are taken");
            return Ok(Arrived::Refused(why));
        }
    };
    let mut told = Vec::new();
    for rule in rules {
        if size > rule.most {
            let why = format!(
                "{url} has {size} bytes, and at most {} are taken",
                rule.most
            );
            return Ok(Arrived::Refused(why));
        }
        let (kind, model) = (rule.kind, rule.model.as_deref().unwrap_or_default());
        let cause = [url.as_str(), etag.as_str(), kind.name(), model].join("\0");
        let cause = format!("blob:{cause}");
        let pipeline = ready.worker.pipeline();
        if let Some(run) = pipeline.started(&cause).await? {
            told.push(format!(
                "{kind} run {run} was begun before",
                kind = kind.name()
            ));
            continue;
        }
        let label = clean(&name, 500);
        let artifact = Artifact {
            name: "source".to_owned(),
            digest,
            size,
            media_type: media_type(Path::new(&name)).to_owned(),
        };
        let wanted = Wanted {
            kind,
            model: rule.model.clone(),
            data: vec![Part::Stored { label, artifact }],
            options: rule.options.clone(),
            trace: trace.map(str::to_owned),
        };
        let request = match ready.requests.request(wanted).await {
            Ok(request) => request,
            Err(error) => {
                // What is wrong with the data or the settings stays wrong; an outage does not.
                if is_fault(&error) {
                    return Err(error);
                }
                pipeline.probe().await?;
                return Ok(Arrived::Refused(format!("{url}: {error:#}")));
            }
        };
        let (run, _) = pipeline.start_once(&cause, request).await?;
        told.push(format!("{} run {run}", kind.name()));
    }
    Ok(Arrived::Done(format!("{url}: {}", told.join(", "))))
}
