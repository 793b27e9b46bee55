//! Components that are not embedded are compiled in a process of their own, which is bounded.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use septet::{
    contract::Stage,
    stage::{Compiler, Limits, LoadError},
};

use super::bloat::code;
use crate::{
    stage::bench::{Bench, Options, With},
    support::{guests::guest, septet::binary},
};

/// A bench whose guests are compiled by the real program, and nothing is kept.
fn bench(limits: Limits) -> (Bench, tempfile::TempDir) {
    let cache = tempfile::tempdir().unwrap();
    let bench = Bench::with(Options {
        limits,
        cache: Some(cache.path().to_owned()),
        compiler: Some(Compiler::process(binary().to_owned())),
        ..Options::default()
    });
    (bench, cache)
}

fn refused(limits: Limits, bytes: &[u8]) -> String {
    let (bench, _cache) = bench(limits);
    let digest = bench.blobs.insert(bytes);
    match bench.wait(bench.executor.catalog().load_transform(&digest)) {
        Err(error @ LoadError::Misfit { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_child_compiled_does_as_what_was_compiled_here() {
    let (bench, cache) = bench(Limits::default());
    let input = bench.input("source", b"a,b\n", "text/csv");
    let here = Bench::new();
    here.input("source", b"a,b\n", "text/csv");
    let call = |bench: &Bench| bench.call(Stage::Train, "copy").given(vec![input.clone()]);
    let (child, own) = (bench.outcome(call(&bench)), here.outcome(call(&here)));
    assert_eq!(child, own);
    // It is kept and loaded like any other.
    let again = Bench::with(Options {
        cache: Some(cache.path().to_owned()),
        // There is no such program: nothing may be compiled.
        compiler: Some(Compiler::process(PathBuf::from("/nowhere/septet"))),
        ..Options::default()
    });
    again.input("source", b"a,b\n", "text/csv");
    assert_eq!(again.outcome(call(&again)), own);
}

#[test]
fn what_is_no_component_is_told_in_the_compilers_words() {
    let told = refused(Limits::default(), b"\0asm\x0d\0\x01\0rubbish");
    assert!(told.contains("it is not a valid component: "), "{told}");
    assert!(!told.contains('\n'), "{told}");
}

#[test]
fn memory_of_a_compilation_is_bounded() {
    let limits = Limits {
        compile_memory_bytes: 256 << 20,
        ..Limits::default()
    };
    let told = refused(limits, &code(4, 100_000));
    assert!(
        told.contains("limit compile_memory_bytes allows 268435456; more was asked for"),
        "{told}"
    );
}

#[test]
fn processor_time_of_a_compilation_is_bounded() {
    let limits = Limits {
        compile_cpu_seconds: 1,
        ..Limits::default()
    };
    let told = refused(limits, &code(1000, 3_000));
    assert!(
        told.contains("limit compile_cpu_seconds allows 1; more was asked for"),
        "{told}"
    );
}

#[test]
fn wall_clock_of_a_compilation_is_bounded() {
    let limits = Limits {
        compile_seconds: 1,
        ..Limits::default()
    };
    let begun = Instant::now();
    let told = refused(limits, &code(1000, 3_000));
    assert!(
        told.contains("limit compile_seconds allows 1; more was asked for"),
        "{told}"
    );
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn the_host_is_at_fault_only_where_there_is_no_compiler() {
    for (program, told) in [
        ("/nowhere/septet", "no compiler can be started"),
        ("/bin/false", "the compiler did not start"),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let bench = Bench::with(Options {
            cache: Some(cache.path().to_owned()),
            compiler: Some(Compiler::process(PathBuf::from(program))),
            ..Options::default()
        });
        let digest = bench.blobs.insert(guest("transform"));
        let loaded = bench.wait(bench.executor.catalog().load_transform(&digest));
        match loaded {
            Err(LoadError::Host(error)) => {
                assert!(format!("{error:#}").contains(told), "{error:#}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_component_that_breaks_its_compiler_is_refused_and_the_host_lives() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("breaks");
    let script = "#!/bin/sh\nprintf SEPTETC1\nkill -SEGV $$\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let bench = Bench::with(Options {
        cache: Some(folder.path().to_owned()),
        compiler: Some(Compiler::process(program)),
        ..Options::default()
    });
    let digest = bench.blobs.insert(guest("transform"));
    let loaded = bench.wait(bench.executor.catalog().load_transform(&digest));
    let told = match loaded {
        Err(error @ LoadError::Misfit { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(
        told.contains("its compiler broke on it (signal: 11"),
        "{told}"
    );
}
