//! `septet stages push` and `pull`: components to and from registries.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use septet::{
    components::EMBEDDED,
    distribution::{self, Packed, Pulled, Reference, Terms},
    store::{Mode, memory},
    swap::{Offer, Swapper},
    trust::Signed,
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    args::{Pull, Push, Registry, Swap},
    drawing::Drawing,
    output,
    session::Origin,
    source, swaps,
};
use crate::config;

fn terms(reference: &Reference, registry: &Registry) -> anyhow::Result<Terms> {
    Ok(Terms {
        credentials: config::credentials(reference.registry())?,
        plain_http: registry.plain_http,
        patience: registry.patience(),
    })
}

/// Sends a stage's component to a registry.
pub(crate) async fn push(origin: &Origin, push: &Push) -> anyhow::Result<()> {
    let reference: Reference = push.address.parse()?;
    let stage = push.stage;
    let (name, offer) = if let Some(file) = &push.component {
        source::check_component(file, &origin.settings.limits)?;
        let offer = Offer::of_file(file, origin.settings.limits.component_bytes)?;
        (file.display().to_string(), offer)
    } else {
        let own = EMBEDDED.iter().find(|(there, _)| *there == stage);
        let (_, bytes) =
            own.with_context(|| format!("septet was built without the stage {stage}"))?;
        (stage.to_string(), Offer::new(bytes.to_vec(), None))
    };
    let stages = origin.stages(&memory())?;
    let report = stages
        .catalog()
        .check(offer.bytes.clone(), Some(stage))
        .await;
    let report = report.with_context(|| format!("{name} can't be used"))?;
    if !report.problems.is_empty() {
        bail!("{name} does not fit: {}", report.problems.join("; "));
    }
    // One that does not hold would be refused by whoever pulls it. None at all is no matter here.
    let signed = match &offer.signature {
        Some(text) => holds(origin, &name, &offer.bytes, Some(text))?,
        None => None,
    };
    let packed = Packed::new(stage, offer.bytes, &report, offer.signature.as_deref())?;
    let terms = terms(&reference, &push.registry)?;
    let drawing = Drawing::new();
    let done = {
        let _note = drawing.waiting("sending the component");
        distribution::push(&reference, &packed, &terms).await
    };
    drawing.finish();
    done?;
    let pinned = reference.at(packed.digest());
    if origin.global.json {
        return output::json(&json!({
            "stage": stage, "address": pinned.to_string(), "tag": reference.tag(),
            "manifest": packed.digest(), "component": report.digest, "bytes": report.size,
            "signature": offer.signature.is_some(), "signed": signed.as_ref().map(told),
        }));
    }
    let mut lines = vec![
        format!("pushed    {pinned}"),
        format!(
            "component {} ({})",
            report.digest,
            output::size(report.size)
        ),
    ];
    lines.extend(reference.tag().map(|tag| format!("tag       {tag}")));
    lines.extend(signature(offer.signature.is_some(), signed.as_ref()));
    output::text_line(&lines.join("\n"))
}

/// Fetches a component from a registry: into a file, or in the place of a stage's.
pub(crate) async fn pull(origin: &Origin, pull: &Pull) -> anyhow::Result<()> {
    let reference: Reference = pull.address.parse()?;
    let terms = terms(&reference, &pull.registry)?;
    let out = match pull.swap {
        None => Some(place(&reference, pull)?),
        Some(_) => None,
    };
    let drawing = Drawing::new();
    let pulled = {
        let _note = drawing.waiting("fetching the component");
        distribution::pull(&reference, &origin.settings.limits, &terms).await
    };
    drawing.finish();
    let pulled = pulled?;
    match (out, pull.swap) {
        (Some(out), _) => kept(origin, &reference, &pulled, &out, pull.force),
        (None, Some(stage)) => {
            let swap = Swap {
                stage,
                file: None,
                same_answers: pull.same_answers,
                canary: pull.canary,
                shadow: pull.shadow,
                builtin: false,
            };
            swapped(origin, &reference, pulled, &swap).await
        }
        (None, None) => Ok(()),
    }
}

/// The file that is written, looked at before anything is fetched.
fn place(reference: &Reference, pull: &Pull) -> anyhow::Result<PathBuf> {
    let last = reference
        .repository()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let out = pull.out.clone();
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{last}.wasm")));
    ensure!(
        pull.force || !out.exists(),
        "{} is there already: name another with --out, or write over it with --force",
        out.display()
    );
    ensure!(!out.is_dir(), "{} is a folder: name a file", out.display());
    Ok(out)
}

/// Writes it, by the same trust by which it would be swapped in.
fn kept(
    origin: &Origin,
    reference: &Reference,
    pulled: &Pulled,
    out: &Path,
    force: bool,
) -> anyhow::Result<()> {
    let text = pulled.contents.signature.as_deref();
    let name = reference.to_string();
    let signed = holds(origin, &name, &pulled.bytes, text)?;
    let mut beside = out.as_os_str().to_owned();
    beside.push(".minisig");
    let beside = PathBuf::from(beside);
    // A signature that is another file's would keep this one from ever being taken.
    ensure!(
        force || !beside.exists(),
        "{} is there already: move it away, or write over it with --force",
        beside.display()
    );
    match text {
        Some(text) => write(&beside, text.as_bytes(), force)?,
        None if beside.exists() => fs::remove_file(&beside)
            .with_context(|| format!("{} can't be removed", beside.display()))?,
        None => {}
    }
    write(out, &pulled.bytes, force)?;
    if origin.global.json {
        let mut shown = summary(reference, pulled);
        if let Value::Object(shown) = &mut shown {
            shown.insert("file".to_owned(), out.to_string_lossy().into());
            shown.insert("signed".to_owned(), json!(signed.as_ref().map(told)));
        }
        return output::json(&shown);
    }
    let mut lines = lines(reference, pulled);
    lines.extend(signature(text.is_some(), signed.as_ref()));
    lines.push(format!("file      {}", out.display()));
    output::text_line(&lines.join("\n"))
}

/// Writes beside and renames, so that there is never a half file under its name.
fn write(path: &Path, bytes: &[u8], force: bool) -> anyhow::Result<()> {
    let unwritable = || format!("{} can't be written", path.display());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file =
        NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(unwritable)?;
    file.write_all(bytes).with_context(unwritable)?;
    file.as_file().sync_all().with_context(unwritable)?;
    let done = if force {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    let file = done.map_err(|error| error.error).with_context(unwritable)?;
    // A component is no secret: it may be read as any file that one downloads.
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    file.set_permissions(mode).with_context(unwritable)
}

/// Puts it in the place of a stage's, by all the steps of a swap.
async fn swapped(
    origin: &Origin,
    reference: &Reference,
    pulled: Pulled,
    swap: &Swap,
) -> anyhow::Result<()> {
    let session = origin.session(Mode::Create).await?;
    let swapper = Swapper::new(session.pipeline.clone(), Arc::clone(&session.stages));
    let shown = summary(reference, &pulled);
    let lines = lines(reference, &pulled);
    let offer = Offer::new(pulled.bytes, pulled.contents.signature);
    let done = swaps::tried(origin, &swapper, offer, swap).await;
    let done = done.with_context(|| reference.to_string())?;
    swaps::told(origin, &done, swap, Some((&shown, &lines)))
}

/// Whose signature holds, by this process's trust.
fn holds(
    origin: &Origin,
    name: &str,
    bytes: &[u8],
    text: Option<&str>,
) -> anyhow::Result<Option<Signed>> {
    let signed = origin.trust()?.check(bytes, text);
    signed.map_err(|problem| anyhow::anyhow!("{name}: {problem}"))
}

fn told(signed: &Signed) -> Value {
    json!({ "key": signed.key.to_string(), "comment": signed.comment })
}

fn signature(there: bool, signed: Option<&Signed>) -> Option<String> {
    match signed {
        Some(signed) => Some(format!(
            "signed    by key {}: {}",
            signed.key, signed.comment
        )),
        None if there => {
            Some("signed    by a key that nothing is known of: trust.keys is empty".to_owned())
        }
        None => None,
    }
}

fn summary(reference: &Reference, pulled: &Pulled) -> Value {
    let Pulled {
        manifest, contents, ..
    } = pulled;
    json!({
        "address": reference.at(*manifest).to_string(), "tag": reference.tag(),
        "manifest": manifest, "component": contents.component, "bytes": contents.size,
        "stage": contents.stage, "signature": contents.signature.is_some(),
    })
}

fn lines(reference: &Reference, pulled: &Pulled) -> Vec<String> {
    let Pulled {
        manifest, contents, ..
    } = pulled;
    let size = output::size(contents.size);
    vec![
        format!("pulled    {}", reference.at(*manifest)),
        format!("component {} ({size})", contents.component),
    ]
}
