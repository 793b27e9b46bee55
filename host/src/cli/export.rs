//! `septet stages export`: the components as files, for other programs that run them.
//!
//! It owns nothing but the files' names; what is in force is the store's to say.

use std::{fs, io::ErrorKind, path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use septet::{
    contract::{Digest, Stage},
    store::memory,
};
use serde_json::json;

use super::{output, session::Origin, stages, swaps};

/// Writes the component in force of each of the `wanted` stages, or of all, to STAGE.wasm in `out`.
pub(crate) async fn export(origin: &Origin, wanted: &[Stage], out: &Path) -> anyhow::Result<()> {
    let pipeline = swaps::existing(origin).await?;
    let in_force = match &pipeline {
        Some(pipeline) => pipeline.swaps().all().await?,
        None => Arc::default(),
    };
    let store = pipeline.map_or_else(memory, |pipeline| pipeline.store().clone());
    let catalog = origin.stages(&store)?;
    let mut components = Vec::new();
    for state in in_force.stages() {
        if !wanted.is_empty() && !wanted.contains(&state.stage) {
            continue;
        }
        let stage = state.stage;
        let own = stages::embedded(stage).map(|(digest, _)| digest);
        let digest = state.current.or(own);
        let digest =
            digest.with_context(|| format!("septet was built without the stage {stage}"))?;
        components.push((stage, digest, catalog.catalog().bytes(&digest).await?));
    }

    let shown = out.display();
    fs::create_dir_all(out).with_context(|| format!("the folder {shown} can't be made"))?;
    let mut written = Vec::new();
    for (stage, digest, bytes) in components {
        let path = out.join(format!("{stage}.wasm"));
        put(&path, &digest, &bytes)?;
        written.push((stage, digest, bytes.len() as u64, path));
    }
    if origin.global.json {
        let shown = written.iter().map(|(stage, digest, bytes, path)| {
            json!({"stage": stage, "component": digest, "bytes": bytes, "file": path})
        });
        return output::json(&json!({ "stages": shown.collect::<Vec<_>>() }));
    }
    // As `sha256sum` prints it, so that `sha256sum --check` takes it.
    let lines = written
        .iter()
        .map(|(_, digest, _, path)| format!("{digest}  {}", path.display()));
    output::text_line(&lines.collect::<Vec<_>>().join("\n"))
}

/// Writes a file that is not there. One that is there must hold the same: it may be somebody's own.
fn put(path: &Path, digest: &Digest, bytes: &[u8]) -> anyhow::Result<()> {
    let shown = path.display();
    match fs::File::create_new(path) {
        Ok(mut file) => std::io::Write::write_all(&mut file, bytes)
            .with_context(|| format!("{shown} can't be written")),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let same = fs::metadata(path)
                .is_ok_and(|there| there.is_file() && there.len() == bytes.len() as u64)
                && fs::read(path).is_ok_and(|there| Digest::of(&there) == *digest);
            if !same {
                bail!("{shown} is there already and holds something else: name another folder");
            }
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("{shown} can't be written")),
    }
}
