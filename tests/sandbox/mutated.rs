//! A good transform whose bytes were changed at random: it is refused, or it is loaded and held to
//! the contract like any other. Nothing panics, and the host is never at fault.

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use septet::{
    contract::{Disposition, Stage},
    stage::{Compiler, Limits, LoadError},
};

use crate::{
    stage::bench::{Bench, Options, With},
    support::{guests::guest, septet::binary},
};

#[test]
fn changed_components_are_refused_or_run_in_their_bounds() {
    let cache = tempfile::tempdir().unwrap();
    let bench = Bench::with(Options {
        limits: Limits {
            transform_cpu_seconds: 1,
            ..Limits::default()
        },
        cache: Some(cache.path().to_owned()),
        compiler: Some(Compiler::process(binary().to_owned())),
        ..Options::default()
    });
    let good = guest("transform");
    let changes = (
        vec((any::<Index>(), any::<u8>()), 1..4),
        proptest::option::weighted(0.1, any::<Index>()),
    );
    let loaded = std::cell::Cell::new(0);
    let cases = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let done = TestRunner::new(cases).run(&changes, |(places, cut)| {
        let mut bytes = good.to_vec();
        for (place, byte) in &places {
            let place = place.index(good.len());
            bytes[place] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(good.len()));
        }
        let digest = bench.blobs.insert(&bytes);
        match bench.wait(bench.executor.catalog().load_transform(&digest)) {
            Err(error @ LoadError::Misfit { .. }) => {
                let told = error.to_string();
                prop_assert!(
                    told.len() < 3000 && !told.contains(char::is_control),
                    "{told}"
                );
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
            Ok(()) => loaded.set(loaded.get() + 1),
        }
        let mut call = bench.call(Stage::Preprocess, "apply-show");
        call.transforms = vec![digest];
        let executed = bench.run(call.with("digest", &digest.to_string()));
        // It gives rows or an error, and the stage tells which: no more is promised of it.
        let failed = matches!(executed.unwrap().disposition, Disposition::Failed { .. });
        prop_assert!(failed);
        Ok(())
    });
    done.unwrap();
    println!("{} of 40 were loaded", loaded.get());
}
