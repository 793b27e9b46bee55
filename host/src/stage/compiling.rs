//! The process that compiles one component and ends.
//!
//! A compiler is a large program that was not made to be fed by an enemy: what is hostile may make
//! it take minutes, gigabytes, or a wrong turn. So it works in a process of its own, which bounds
//! itself before it reads a byte, is given no word of its parent's environment, writes no file and
//! opens none. It must not know where a component comes from, nor anything but these bytes.

use std::io::{Read, Write};

use super::{
    ended::plain,
    engine::{Trust, compiling},
};

/// The first word on standard output: the process is what it should be and has bounded itself. What
/// goes wrong after it is the component's fault.
pub(crate) const READY: &[u8; 8] = b"SEPTETC1";

/// How the process says that these bytes are no component that it can compile; "data error" of
/// sysexits.h. The reason is on standard error.
pub(crate) const REFUSED: i32 = 65;

/// How far the process is behind others that want the processor, as `nice` counts.
#[cfg(unix)]
const NICE: i32 = 10;

/// What a process that compiles may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of its address space.
    pub memory: u64,
    /// Seconds of processor time.
    pub cpu: u64,
}

/// Compiles the component on `input` for this machine, within `bounds`, and writes the native code
/// to `output`. It bounds the whole process: this is for one that does nothing else. Gives the
/// exit code, and has told the reason on `errors`.
pub fn compile_component(
    bounds: Bounds,
    input: &mut dyn Read,
    output: &mut dyn Write,
    errors: &mut dyn Write,
) -> i32 {
    match compile(bounds, input, output) {
        Ok(()) => 0,
        Err((code, reason)) => {
            // Nobody listens where even this can't be written.
            let _ = writeln!(errors, "{reason}");
            code
        }
    }
}

/// What went wrong on this side of the component.
const BROKEN: i32 = 70;

fn compile(
    bounds: Bounds,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<(), (i32, String)> {
    let broken = |what: &str, error: &dyn std::fmt::Display| (BROKEN, format!("{what}: {error}"));
    bound(bounds).map_err(|error| broken("the limits can't be set", &error))?;
    let engine = compiling(Trust::Guarded).map_err(|e| broken("no engine", &e))?;
    output
        .write_all(READY)
        .and_then(|()| output.flush())
        .map_err(|e| broken("nobody listens", &e))?;
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .map_err(|e| broken("the component can't be read", &e))?;
    let code = engine
        .precompile_component(&bytes)
        .map_err(|error| (REFUSED, invalid(&plain(error))))?;
    output
        .write_all(&code)
        .and_then(|()| output.flush())
        .map_err(|e| broken("nobody listens", &e))
}

/// Why these bytes are no component, in a line.
pub(crate) fn invalid(error: &anyhow::Error) -> String {
    let causes = crate::capability::clean(&format!("{error:#}"), 500);
    format!("it is not a valid component: {causes}")
}

#[cfg(unix)]
fn bound(bounds: Bounds) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, nice, setrlimit};
    let Bounds { memory, cpu } = bounds;
    let most = |value| Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    // No image of a memory that was full of somebody's component.
    setrlimit(Resource::Core, most(0))?;
    // The compiler writes no file: code goes to a pipe.
    setrlimit(Resource::Fsize, most(0))?;
    // The kernel says so first and kills a second later.
    let seconds = Rlimit {
        current: Some(cpu),
        maximum: Some(cpu.saturating_add(1)),
    };
    setrlimit(Resource::Cpu, seconds)?;
    // Whoever is served meanwhile goes first. It matters less than the rest: a container may refuse it.
    let _ = nice(NICE);
    setrlimit(Resource::As, most(memory))?;
    Ok(())
}

#[cfg(not(unix))]
fn bound(_: Bounds) -> std::io::Result<()> {
    // The parent's clock is all there is.
    Ok(())
}
