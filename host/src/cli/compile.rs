//! `septet compile-component`: not for people. The program starts itself so to compile a component
//! that it does not trust, in a process that has nothing else and may be killed.

use std::process::ExitCode;

use septet::stage::{Bounds, compile_component};

use super::args::CompileComponent;

/// Compiles standard input to standard output.
pub(crate) fn compile(words: &CompileComponent) -> ExitCode {
    let bounds = Bounds {
        memory: words.memory,
        cpu: words.cpu,
    };
    let code = compile_component(
        bounds,
        &mut std::io::stdin().lock(),
        &mut std::io::stdout().lock(),
        &mut std::io::stderr(),
    );
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
