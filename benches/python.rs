//! Python with pinned packages, for what is compared with it.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The interpreter with the packages that the file `pins` of the project lists; made at first, in the
/// folder `name` among the oracles.
pub(crate) fn environment(name: &str, pins: &str) -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = own.join("../oracles").join(name);
    let pins = workspace.join(pins);
    let (interpreter, done) = (folder.join("bin/python"), folder.join("installed"));
    let wanted = fs::read_to_string(&pins)?;
    if fs::read_to_string(&done).is_ok_and(|had| had == wanted) {
        return Ok(interpreter);
    }
    let run = |command: &mut Command| match command.status() {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{command:?}: {other:?}")),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "-r"];
    run(Command::new(&interpreter).args(install).arg(&pins))?;
    fs::write(done, wanted)?;
    Ok(interpreter)
}
