//! The binary: parse, choose, run.

mod cli;
mod config;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // A user never sees a panic's own report: what went wrong is one line, like any other error.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("unknown");
        eprintln!("septet: internal error at {place}: {text} (this is a defect of septet)");
    }));
    let cli = cli::args::Cli::parse();
    cli::run(cli)
}
