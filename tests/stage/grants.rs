//! Each grant with its denial twin: what is not granted is not linked, and what is out of scope
//! is denied.

use septet::{
    contract::{Disposition, Stage},
    stage::{Capability, Grants},
};

use super::bench::{BUNDLE_TYPE, Bench, Options, With, foreign};
use crate::support::guests::guest;

#[test]
fn each_stage_runs_with_its_own_grants() {
    let bench = Bench::new();
    for stage in Stage::ALL {
        let input = bench.input("source", b"a,b\n1,2\n", "text/csv");
        let executed = bench
            .run(bench.call(stage, "copy").given(vec![input]))
            .unwrap();
        for capability in ["blob-read", "blob-write", "log"] {
            assert!(executed.used[capability] > 0, "{stage} {capability}");
        }
        assert!(executed.peak_memory_bytes > 0);
        let outcome = super::bench::outcome(executed);
        assert_eq!(outcome.outputs[0].name, "copy-0");
        assert_eq!(bench.blobs.bytes(&outcome.outputs[0].digest), b"a,b\n1,2\n");
        assert!((outcome.metrics[0].value - 8.0).abs() < 1e-9);
        assert_eq!(outcome.notes, ["seed 7"]);
    }
}

/// What each world's guest imports besides what all stages are granted.
const OWN: [(Stage, &[Capability]); 7] = [
    (Stage::Ingest, &[Capability::BlobList]),
    (Stage::Preprocess, &[Capability::Transforms]),
    (Stage::Train, &[Capability::Queue]),
    (
        Stage::Evaluate,
        &[Capability::RegistryRead, Capability::Models],
    ),
    (
        Stage::Deploy,
        &[Capability::RegistryRead, Capability::RegistryPropose],
    ),
    (Stage::Infer, &[Capability::Transforms]),
    (
        Stage::Monitor,
        &[Capability::RegistryRead, Capability::Queue],
    ),
];

#[test]
fn an_ungranted_import_fails_at_load_and_is_named() {
    let bench = Bench::new();
    let grants = Grants::default();
    for (owner, own) in OWN {
        for stage in Stage::ALL {
            let mut call = bench.call(stage, "copy");
            call.component = bench.blobs.insert(guest(owner.name()));
            let missing: Vec<_> = own.iter().filter(|c| !grants.allows(stage, **c)).collect();
            let executed = bench.run(call).unwrap();
            let predicts = stage != Stage::Infer || owner == Stage::Infer;
            match executed.disposition {
                Disposition::Rejected { reason } => {
                    assert!(
                        !missing.is_empty() || !predicts,
                        "{owner} as {stage}: {reason}"
                    );
                    for capability in missing {
                        let told = format!(
                            "it imports septet:capability/{capability}@0.1.0, which {stage} is not \
                             granted"
                        );
                        assert!(reason.contains(&told), "{reason}");
                    }
                    assert!(reason.contains(&format!("does not fit stage {stage}")));
                }
                Disposition::Ok(_) => assert!(missing.is_empty() && predicts, "{owner} as {stage}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_grant_that_settings_took_away_is_missed_at_load() {
    for capability in Capability::ALL {
        let stage = OWN
            .into_iter()
            .map(|(stage, _)| stage)
            .find(|stage| Grants::default().allows(*stage, capability))
            .unwrap();
        let mut grants = Grants::default();
        let all: Vec<_> = grants.of(stage).iter().copied().collect();
        let kept: Vec<_> = all.into_iter().filter(|c| *c != capability).collect();
        grants.restrict(stage, &kept).unwrap();
        let bench = Bench::with(Options {
            grants,
            ..Options::default()
        });
        let Disposition::Rejected { reason } =
            bench.run(bench.call(stage, "copy")).unwrap().disposition
        else {
            panic!("{stage} ran without {capability}");
        };
        let told = format!("septet:capability/{capability}@0.1.0, which {stage} is not granted");
        assert!(reason.contains(&told), "{reason}");
        assert!(
            reason.contains(&format!("the grant '{capability}'")),
            "{reason}"
        );
    }
}

#[test]
fn blob_read_is_for_what_the_call_was_given_or_wrote() {
    let bench = Bench::new();
    let foreign = foreign(&bench).to_string();
    for stage in Stage::ALL {
        bench.outcome(
            bench
                .call(stage, "read-foreign-digest")
                .with("digest", &foreign),
        );
    }
    let own = septet::contract::Digest::of(b"own").to_string();
    bench.outcome(
        bench
            .call(Stage::Train, "read-own-digest")
            .with("digest", &own),
    );
}

#[test]
fn blob_list_is_for_the_inputs() {
    let bench = Bench::new();
    let inputs = vec![
        bench.input("table", b"1", "text/csv"),
        bench.input("table", b"2", "text/csv"),
    ];
    foreign(&bench);
    bench.outcome(bench.call(Stage::Ingest, "list").given(inputs));
}

#[test]
fn queue_is_for_the_granted_labels() {
    let bench = Bench::new();
    let executed = bench.run(bench.call(Stage::Train, "send")).unwrap();
    assert_eq!(executed.used["queue"], 2);
    let bodies: Vec<_> = executed
        .messages
        .iter()
        .map(|m| m.body.as_slice())
        .collect();
    assert_eq!(bodies, [b"one", b"two"]);
    assert_eq!(executed.messages[0].label, "fan-out");

    let executed = bench
        .run(bench.call(Stage::Train, "send-and-fail"))
        .unwrap();
    assert!(executed.messages.is_empty());

    bench.outcome(bench.call(Stage::Train, "send-foreign-label"));

    let mut call = bench.call(Stage::Monitor, "alert");
    call.aliases = bench.aliases(b"model");
    let executed = bench.run(call).unwrap();
    assert_eq!(executed.messages[0].label, "alerts");
}

#[test]
fn registry_read_is_for_the_pinned_aliases() {
    let bench = Bench::new();
    for what in ["alias", "foreign-alias"] {
        let mut call = bench.call(Stage::Evaluate, what);
        call.aliases = bench.aliases(b"model");
        bench.outcome(call);
    }
}

#[test]
fn registry_propose_is_for_the_models_and_bundles_of_the_call() {
    let bench = Bench::new();
    let bundle = bench.input("bundle", b"candidate", BUNDLE_TYPE);
    let mut call = bench
        .call(Stage::Deploy, "propose")
        .given(vec![bundle.clone()]);
    call.aliases = bench.aliases(b"model");
    let executed = bench.run(call).unwrap();
    assert_eq!(executed.proposals.len(), 1);
    assert_eq!(executed.proposals[0].bundle, bundle.digest);
    assert_eq!(
        executed.proposals[0].change.as_ref().unwrap().alias,
        "champion"
    );

    let foreign = foreign(&bench).to_string();
    let mut call = bench
        .call(Stage::Deploy, "propose-foreign")
        .given(vec![bundle]);
    call = call.with("digest", &foreign);
    call.aliases = bench.aliases(b"model");
    let executed = bench.run(call).unwrap();
    assert!(executed.proposals.is_empty());
    super::bench::outcome(executed);
}

#[test]
fn a_damaged_or_missing_input_is_not_the_guests_fault() {
    let bench = Bench::new();
    let mut input = bench.input("source", b"x", "text/csv");
    input.digest = septet::contract::Digest::of(b"gone");
    bench.outcome(bench.call(Stage::Train, "read-missing").given(vec![input]));

    let input = bench.input("source", b"x", "text/csv");
    let call = bench.call(Stage::Train, "read-input").given(vec![input]);
    bench.outcome(call.clone());
    bench
        .blobs
        .broken
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let control = septet::stage::Control::new();
    let error = bench
        .wait(bench.executor.execute(call, &control))
        .unwrap_err();
    assert_eq!(format!("{error:#}"), "the disk is on fire");
}
