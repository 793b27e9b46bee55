//! Composes a stage's component with what it needs on Spin: `spin build` calls it for spin.toml.
//!
//!     cargo run --release --example spin-app -- ingest
//!
//! Leaves `target/spin/<stage>.wasm`.

use std::{env, fs, path::Path};

use anyhow::Context as _;
use septet::{components::EMBEDDED, contract::Stage};

#[path = "../../tests/hosts/compose.rs"]
mod compose;

#[path = "../build/guests.rs"]
mod guests;

fn main() -> anyhow::Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the host's folder has no parent")?;
    let stage: Stage = env::args()
        .nth(1)
        .context("say which stage: spin-app ingest")?
        .parse()?;
    let (_, component) = EMBEDDED
        .iter()
        .find(|(embedded, _)| *embedded == stage)
        .context("the stage is not embedded")?;
    let target = workspace.join("target");
    let app = compose::spin_app(component, workspace, &target)?;
    let path = target.join(format!("spin/{stage}.wasm"));
    fs::create_dir_all(target.join("spin"))?;
    fs::write(&path, &app)?;
    println!("{}: {} bytes", path.display(), app.len());
    Ok(())
}
