//! `septet store`: what concerns the store as a whole.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, bail};
use septet::store::StoreKey;
use serde_json::json;

use super::{
    args::StoreCommand,
    output::{json, text_line},
    session::Origin,
    verify,
};

/// Does what was typed.
pub(crate) async fn store(origin: &Origin, command: &StoreCommand) -> anyhow::Result<()> {
    match command {
        StoreCommand::Key { out } => key(origin, out),
        StoreCommand::Verify => verify::verify(origin).await,
    }
}

/// Writes a new key. It is never printed: what is on a terminal is in its history.
fn key(origin: &Origin, out: &Path) -> anyhow::Result<()> {
    let shown = out.display();
    let key = StoreKey::random()?.to_text();
    let opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out);
    let mut file = match opened {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown} is already there, and may be the only key of a store: name another file")
        }
        opened => opened.with_context(|| format!("the key file {shown} can't be written"))?,
    };
    let written = file.write_all(key.as_bytes());
    let written = written.and_then(|()| file.write_all(b"\n"));
    if let Err(error) = written.and_then(|()| file.sync_all()) {
        // Half a key is none.
        let _ = fs::remove_file(out);
        return Err(error).with_context(|| format!("the key file {shown} can't be written"));
    }
    if origin.global.json {
        return json(&json!({ "written": out }));
    }
    text_line(&format!(
        "{shown} holds a new key: without it nobody reads what it encrypts, so keep a copy apart \
         from the store\nuse it: SEPTET_STORE_KEY_FILE={shown}, or key_file under [encryption] in \
         septet.toml"
    ))
}
