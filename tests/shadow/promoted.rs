//! From matches to a promotion and back, whichever of the two is built in.

use septet::contract::{Digest, Stage};

use super::data::{counts, report, run, shadowed, unlike};
use crate::{support::septet::Workplace, swap::components::builtin};

const STAGE: Stage = Stage::Ingest;

fn in_force(place: &Workplace) -> String {
    let stages = place.septet(&["stages", "--json"]).json();
    let mut stages = stages["stages"].as_array().unwrap().iter();
    let found = stages.find(|row| row["stage"] == STAGE.name()).unwrap();
    found["component"].as_str().unwrap().to_owned()
}

fn promote(place: &Workplace, flags: &[&str]) -> crate::support::septet::Ran {
    place.septet(&[&["stages", "promote", STAGE.name()], flags].concat())
}

#[test]
fn one_that_answers_alike_comes_into_force_and_the_built_in_one_likewise() {
    let place = shadowed(STAGE, "");
    let [own, other] = [builtin(STAGE), unlike(STAGE)].map(|bytes| Digest::of(bytes).to_string());
    for (matches, rows) in [201, 202, 203].into_iter().enumerate() {
        let line = promote(&place, &[]).refused();
        let there = format!("has {matches} of the 3 matches in a row");
        assert!(line.contains(&there), "{line}");
        // The command waits for the copies: they are counted when it ends.
        run(&place, "none", rows).ok();
        let told = report(&place, STAGE);
        assert_eq!(
            counts(&told),
            [matches as u64 + 1, 0, 0, matches as u64 + 1]
        );
    }
    // What was done before is answered from the ledger: it is no call, and no match.
    run(&place, "none", 203).ok();
    assert_eq!(counts(&report(&place, STAGE)), [3, 0, 0, 3]);
    let text = place
        .septet(&["shadow", "report", STAGE.name()])
        .ok()
        .stdout;
    for part in [
        "in a row   3",
        "puts it into force",
        "no difference of ingest",
    ] {
        assert!(text.contains(part), "{text}");
    }
    promote(&place, &[]).ok();
    assert_eq!(in_force(&place), other);

    // The built-in one beside it, until it is as good.
    let begin = [
        "stages",
        "swap",
        STAGE.name(),
        "--builtin",
        "--shadow",
        "100%",
    ];
    let told = place.septet(&begin).ok().stdout;
    assert!(told.contains("built in, is given copies of 100%"), "{told}");
    let told = place.septet(&begin).ok().stdout;
    assert!(told.contains("already"), "{told}");
    let listed = place.septet(&["stages"]).ok().stdout;
    assert!(listed.contains("shadow built in 100%"), "{listed}");
    run(&place, "none", 210).ok();
    assert_eq!(counts(&report(&place, STAGE)), [1, 0, 0, 1]);
    assert!(
        promote(&place, &[])
            .refused()
            .contains("has 1 of the 3 matches")
    );
    let told = promote(&place, &["--matches", "1"]).ok().stdout;
    assert!(told.contains("built in"), "{told}");
    assert_eq!(in_force(&place), own);
    let stages = place.septet(&["stages", "--json"]).json();
    assert_eq!(stages["stages"][0]["built_in"], true);
    let history = place
        .septet(&["stages", "history", STAGE.name()])
        .ok()
        .stdout;
    let last = history.lines().last().unwrap();
    assert!(
        last.contains("built in") && last.contains("1 match in a row"),
        "{history}"
    );
    place.septet(&["store", "verify"]).ok();
    place.septet(&["gc"]).ok();
    run(&place, "none", 211).ok();
    // Back to what was before, and before that.
    for back in [&other, &own] {
        place.septet(&["stages", "rollback", STAGE.name()]).ok();
        assert_eq!(&in_force(&place), back);
    }
}

#[test]
fn what_is_built_in_needs_no_signature_but_a_pin_counts() {
    let place = shadowed(STAGE, "");
    promote(&place, &["--force", "--reason", "a test"]).ok();
    place
        .septet(&[
            "stages",
            "swap",
            STAGE.name(),
            "--builtin",
            "--shadow",
            "100%",
        ])
        .ok();
    promote(&place, &["--force", "--reason", "a test"]).ok();
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let trust = format!("[trust]\nkeys = [\"{key}\"]\nrequire-signature = true\n");
    let settings = |more: &str| {
        let run = "[run]\ntarget = \"sex\"\nname = \"m\"\n";
        place.write("septet.toml", format!("{run}{trust}{more}"));
    };
    settings("");
    run(&place, "none", 201).ok();
    let pin = Digest::of(b"another");
    settings(&format!("[trust.pins]\ningest = \"{pin}\"\n"));
    let line = run(&place, "none", 202).refused();
    assert!(line.contains("trust.pins lets ingest be"), "{line}");
    // The other one is not signed.
    settings("");
    place.septet(&["stages", "rollback", STAGE.name()]).ok();
    let line = run(&place, "none", 203).refused();
    assert!(line.contains("not signed"), "{line}");
}

#[test]
fn a_promotion_is_forced_with_a_reason_alone() {
    let place = shadowed(STAGE, "[shadow]\nmatches = 1\n");
    let refused = promote(&place, &["--force"]);
    assert!(
        refused.code != Some(0) && refused.stderr.contains("reason"),
        "{refused:?}"
    );
    let refused = promote(&place, &["--force", "--reason", " "]).refused();
    assert!(refused.contains("--force takes a reason"), "{refused}");
    let refused = promote(&place, &["--matches", "0"]);
    assert!(refused.code != Some(0), "{refused:?}");
    let line = promote(&place, &[]).refused();
    assert!(line.contains("0 of the 1 match in a row"), "{line}");
    promote(&place, &["--force", "--reason", "we know"]).ok();
    let history = place.septet(&["stages", "history"]).ok().stdout;
    let why = "forced with 0 of 1 match in a row: we know";
    assert!(history.contains(why), "{history}");
}
