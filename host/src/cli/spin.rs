//! `septet spin`: applications for Spin.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use anyhow::{Context as _, ensure};
use septet::{
    components::EMBEDDED,
    contract::{Digest, Stage},
    package::spin::{App, Chosen, compose, compose_serving, front},
    store::{Mode, memory},
};
use serde_json::json;
use tempfile::NamedTempFile;

use super::{
    args::{Compose, SpinCommand},
    output, request,
    session::{Origin, Session},
    source,
};
use crate::config::files;

/// Transforms in an application: more would be more memories than Spin gives one.
const MOST_TRANSFORMS: usize = 8;

/// Does what is asked for Spin.
pub(crate) async fn spin(origin: &Origin, command: &SpinCommand) -> anyhow::Result<()> {
    match command {
        SpinCommand::Compose(words) => write(origin, words).await,
    }
}

/// Composes and writes; each file is there whole or as it was.
async fn write(origin: &Origin, words: &Compose) -> anyhow::Result<()> {
    let transforms = transforms(origin, &words.transforms).await?;
    let transforms: Vec<&[u8]> = transforms.iter().map(Vec::as_slice).collect();
    let components = components(origin, &words.components).await?;
    let component = |stage: Stage| {
        let bytes = components.get(&stage).map(Vec::as_slice);
        bytes.with_context(|| format!("septet was built without the stage {stage}"))
    };
    let out = &words.out;
    fs::create_dir_all(out)
        .with_context(|| format!("the folder {} can't be made", out.display()))?;
    let wanted = |app: &App| words.apps.is_empty() || words.apps.contains(app);
    let mut rows = Vec::new();
    let mut shown = Vec::new();
    for name in App::all().into_iter().filter(wanted) {
        let infer = component(Stage::Infer)?;
        let (app, within) = match name {
            App::Front => (front()?.to_vec(), None),
            App::Serving => (compose_serving(infer, &transforms)?, Some(infer)),
            App::Stage(stage) => {
                let chosen = Chosen {
                    stage,
                    component: component(stage)?,
                    infer,
                    transforms: &transforms,
                };
                (compose(&chosen)?, Some(chosen.component))
            }
        };
        let path = out.join(format!("{name}.wasm"));
        replace(&path, &app).with_context(|| format!("{} can't be written", path.display()))?;
        let digest = within.map(Digest::of);
        shown.push(json!({
            "name": name.name(),
            "file": path,
            "bytes": app.len(),
            "digest": Digest::of(&app),
            "component": digest,
        }));
        rows.push(vec![
            path.display().to_string(),
            output::size(app.len() as u64),
            digest.map(|digest| digest.to_string()).unwrap_or_default(),
        ]);
    }
    if origin.global.json {
        let transforms = transforms.iter().map(|bytes| Digest::of(bytes));
        let transforms: Vec<Digest> = transforms.collect();
        return output::json(&json!({ "applications": shown, "transforms": transforms }));
    }
    let header = ["application", "size", "sha-256 of the stage within"];
    output::text_line(&output::table(&header, &["size"], rows))
}

/// Writes a file in the place of one that may be there and that Spin may be reading.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().context("it is in no folder")?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// A store that is gone when the command ends.
fn passing(origin: &Origin) -> anyhow::Result<Session> {
    origin.session_of(memory())
}

/// The transforms' bytes, each tried as `septet transform add` would.
async fn transforms(origin: &Origin, named: &[String]) -> anyhow::Result<Vec<Vec<u8>>> {
    ensure!(
        named.len() <= MOST_TRANSFORMS,
        "--transform is given {} times: at most {MOST_TRANSFORMS}",
        named.len()
    );
    let mut transforms = Vec::new();
    for text in named {
        let session = if files::is_file(text) {
            passing(origin)?
        } else {
            origin.session(Mode::Existing).await?
        };
        let digest = request::transform(&session, text).await?;
        transforms.push(session.stages.catalog().bytes(&digest).await?);
    }
    Ok(transforms)
}

/// Each stage's component: the built-in one, or a file that fits its grants.
async fn components(origin: &Origin, named: &[String]) -> anyhow::Result<BTreeMap<Stage, Vec<u8>>> {
    let own = EMBEDDED.iter();
    let mut components: BTreeMap<Stage, Vec<u8>> =
        own.map(|(stage, bytes)| (*stage, bytes.to_vec())).collect();
    let mut seen = Vec::new();
    for text in named {
        let (stage, path) = source::pair(text, "--component", "STAGE=FILE")?;
        let stage: Stage = stage.parse()?;
        ensure!(
            !seen.contains(&stage),
            "--component is given twice for {stage}"
        );
        seen.push(stage);
        let path = Path::new(path);
        let session = passing(origin)?;
        let added = source::add_component(&session, path, "component").await?;
        session.trusts(path, &added.digest).await?;
        let catalog = session.stages.catalog();
        let loaded = catalog.load(stage, &added.digest).await;
        loaded.with_context(|| format!("{} can't be used", path.display()))?;
        components.insert(stage, catalog.bytes(&added.digest).await?);
    }
    Ok(components)
}
