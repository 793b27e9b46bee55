//! A process that is killed again and again, at random moments and between any two steps, does all
//! the same: every run is done, with the same bytes, and nothing is left.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use septet::failpoint::PLACES;

use super::process::{Process, assert_whole, bundles, commits, place, queue, versions, work_off};
use crate::support::draw::Draw;

/// How often a process is killed.
const KILLS: usize = 220;

#[test]
fn two_hundred_kills_change_nothing() {
    let (disturbed, undisturbed) = (place(), place());
    // Both begin with one version, so that all later runs are given the same split.
    let first = [&disturbed, &undisturbed].map(|place| {
        let run = queue(place, 0);
        work_off(place);
        run
    });
    let mut draw = Draw(20_261_122);
    let mut runs = vec![first[0].clone()];
    let (mut kills, mut places) = (0, BTreeSet::new());
    let begun = Instant::now();
    while kills < KILLS {
        assert!(begun.elapsed() < Duration::from_mins(15), "{kills} kills");
        let active = super::process::keys(&disturbed, "active/").len();
        // Every tenth asks for what an earlier one asked for.
        for _ in active..4 {
            let number = runs.len();
            let seed = if number.is_multiple_of(10) {
                number / 2
            } else {
                number
            };
            runs.push(queue(&disturbed, seed));
        }
        // Half of them at a place in the protocol, the others whenever it is.
        if draw.next().is_multiple_of(2) {
            let place = PLACES[(draw.next() % PLACES.len() as u64) as usize];
            let failpoint = format!("{place}:{}", draw.next() % 5 + 1);
            let mut process = Process::start(&disturbed, &["work"], Some(&failpoint));
            process.ready();
            if process.wait(Duration::from_secs(3)).is_some() {
                places.insert(place);
            }
            process.kill();
        } else {
            let mut process = Process::start(&disturbed, &["serve"], None);
            process.ready();
            std::thread::sleep(Duration::from_millis(draw.next() % 300));
            process.kill();
        }
        kills += 1;
    }
    assert_eq!(places.len(), PLACES.len(), "met: {places:?}");
    work_off(&disturbed);
    let mut expected = vec![first[1].clone()];
    for number in 1..runs.len() {
        let seed = if number.is_multiple_of(10) {
            number / 2
        } else {
            number
        };
        expected.push(queue(&undisturbed, seed));
    }
    work_off(&undisturbed);

    let (made, expected) = (bundles(&disturbed, &runs), bundles(&undisturbed, &expected));
    let in_order = |bundles: &std::collections::BTreeMap<String, String>| {
        bundles.values().cloned().collect::<Vec<_>>()
    };
    assert_eq!(in_order(&made), in_order(&expected), "the models differ");
    assert_eq!(versions(&disturbed), versions(&undisturbed));
    assert_eq!(
        versions(&disturbed),
        made.values().cloned().collect::<BTreeSet<_>>()
    );
    for place in [&disturbed, &undisturbed] {
        assert_whole(place);
        // One message of train's for each commit of it was sent or none: it has none to say.
        let poisoned = place.septet(&["queues", "--json"]).json();
        assert!(!poisoned.to_string().contains("poison"), "{poisoned}");
    }
    let failed = commits(&disturbed.path(".septet"))
        .into_iter()
        .filter(|commit| commit["ending"].get("ok").is_none());
    assert_eq!(failed.count(), 0);
    println!(
        "{kills} kills over {} runs in {:?}",
        runs.len(),
        begun.elapsed()
    );
}
