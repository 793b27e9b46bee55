//! Files at the door: checked before a store is opened, then read into blobs.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, bail};
use rustix::fs::OFlags;
pub(crate) use septet::trigger::{ending, media_type};
use septet::{
    contract::Artifact,
    stage::{Exceeded, Limits},
    store::Store,
};

use super::session::Session;

/// Bytes that are read and written at a time.
const PIECE: usize = 1 << 20;

/// A file that is there, is a file, and is not empty; so that nothing is begun for one that is not.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let metadata = fs::metadata(path).with_context(|| format!("{shown} can't be read"))?;
    if metadata.is_dir() {
        bail!("{shown} is a folder: name the files in it");
    }
    if !metadata.is_file() {
        bail!("{shown} is no ordinary file: it is read more than once, so it can't be a pipe");
    }
    if metadata.len() == 0 {
        bail!("{shown} is empty");
    }
    open(path).with_context(|| format!("{shown} can't be read"))?;
    Ok(())
}

/// Opens an ordinary file. In a folder that others write into it may have become a pipe since it
/// was looked at, and to open one of those may take for ever.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = options.read(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    Ok(file)
}

/// As `check`, for a file that is not larger than a component may be: before it is in memory.
pub(crate) fn check_component(path: &Path, limits: &Limits) -> anyhow::Result<()> {
    check(path)?;
    let shown = path.display();
    let size = fs::metadata(path)
        .with_context(|| format!("{shown} can't be read"))?
        .len();
    Exceeded::check("component_bytes", limits.component_bytes, size)
        .with_context(|| format!("{shown} can't be used"))
}

/// Reads a component's file into a blob, if it is not larger than a component may be.
pub(crate) async fn add_component(
    session: &Session,
    path: &Path,
    name: &str,
) -> anyhow::Result<Artifact> {
    check_component(path, session.stages.limits())?;
    add(session.pipeline.store(), path, name, "application/wasm").await
}

/// Reads a file into a blob.
pub(crate) async fn add(
    store: &Store,
    path: &Path,
    name: &str,
    media_type: &str,
) -> anyhow::Result<Artifact> {
    let shown = path.display();
    let mut file = open(path).with_context(|| format!("{shown} can't be read"))?;
    let mut writer = store.blobs.create().await?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = file
            .read(&mut piece)
            .with_context(|| format!("{shown} can't be read"))?;
        if read == 0 {
            break;
        }
        writer.write(piece.get(..read).unwrap_or_default()).await?;
    }
    let (digest, size) = writer.finish().await?;
    Ok(Artifact {
        name: name.to_owned(),
        digest,
        size,
        media_type: media_type.to_owned(),
    })
}

/// `K=V`, with what it is for the error.
pub(crate) fn pair<'a>(
    text: &'a str,
    option: &str,
    form: &str,
) -> anyhow::Result<(&'a str, &'a str)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => bail!("{option} {text} is not of the form {form}"),
    }
}

/// A parameter's value: JSON, or text where it is no JSON.
pub(crate) fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_values() {
        assert_eq!(pair("a=b=c", "--param", "K=V").unwrap(), ("a", "b=c"));
        assert!(pair("ab", "--param", "K=V").is_err());
        assert!(pair("=b", "--param", "K=V").is_err());
        assert_eq!(value("3"), 3);
        assert_eq!(value("true"), true);
        assert_eq!(value("sex"), "sex");
        assert_eq!(value("[\"a\"]"), serde_json::json!(["a"]));
    }
}
