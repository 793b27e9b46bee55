//! `septet init` and `septet completions`.

use std::{fs, io::Write as _, path::Path};

use anyhow::{Context as _, bail};
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{args::Cli, output};
use crate::config::template;

/// Writes septet.toml here.
pub(crate) fn init(force: bool, json: bool) -> anyhow::Result<()> {
    let path = Path::new("septet.toml");
    let opened = if force {
        fs::File::create(path)
    } else {
        match fs::File::create_new(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                bail!("septet.toml is already there: edit it, or write over it with --force")
            }
            opened => opened,
        }
    };
    opened
        .and_then(|mut file| file.write_all(template().as_bytes()))
        .context("septet.toml can't be written here")?;
    if json {
        output::json(&serde_json::json!({ "written": "septet.toml" }))
    } else {
        output::text_line("septet.toml is written: each setting stands in it with its default")
    }
}

/// Prints a completion script.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "septet", &mut script);
    output::bytes(&script)
}
