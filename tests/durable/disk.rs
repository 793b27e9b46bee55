//! A disk that is full, read-only, or does not sync, and a database that is locked: the work waits
//! for the end of it, uses up no attempts, and then goes on to the same bytes.

use std::time::Duration;

use rusqlite::Connection;

use super::{
    faults::Fault,
    server::{Site, undisturbed, until},
};

/// A server lives through an outage at several moments of a run.
fn outages(fault: Fault, cause: &[&str], moments: &[i64]) {
    let Some(site) = Site::faulty() else { return };
    let faults = site.faults();
    // The store is made before anything can fail.
    let first = site.queue(1, &[]);
    let server = site.serve(&["--concurrency", "2"]);
    site.done(&first);
    assert!(faults.is_loaded());
    let store = ".septet";
    for (seed, after) in (2..).zip(moments) {
        let told = server.lines(&[" ERROR ", store]).len();
        let run = {
            let run = site.queue(seed, &[]);
            faults.begin(fault, *after);
            run
        };
        until("the fault is met", || {
            (faults.hits() > 0).then_some(()).ok_or_else(|| {
                let seen = site.show(&run).0;
                format!("{after}: {seen}\n{}", server.log())
            })
        });
        until("it is told", || {
            let lines = server.lines(&[" ERROR ", store]);
            (lines.len() > told + 1)
                .then_some(())
                .ok_or_else(|| server.log())
        });
        // Long enough for the lease and for what would be five attempts.
        std::thread::sleep(Duration::from_millis(1200));
        let before = faults.hits();
        let seen = site.show(&run);
        assert!(
            matches!(seen.status(), "pending" | "running" | "done"),
            "{}\n{}",
            seen.0,
            server.log()
        );
        // It looks whether the disk is well again, and not all the time.
        assert!(before < 200, "{before}");
        faults.end();
        let seen = site.done(&run);
        // Each of the two that work may have begun once before the failure of the other was seen.
        assert!(seen.attempts() <= 1 + 2, "{}", seen.0);
        assert_eq!(seen.outputs(), *undisturbed(seed), "{fault:?} {after}");
    }
    let lines = server.lines(&[" ERROR ", store]);
    let named = lines
        .iter()
        .any(|line| cause.iter().any(|cause| line.contains(cause)));
    assert!(named, "{lines:#?}");
    let log = server.stop();
    assert!(log.contains("the store was waited for"), "{log}");
    assert!(!log.contains("came to nothing"), "{log}");
    site.is_whole();
    // Where nothing can be deleted, what was begun is left for the next day's sweep.
    assert!(site.unfinished() == 0 || fault == Fault::ReadOnly);
}

#[test]
fn a_full_disk_is_waited_out() {
    let cause = ["the disk is full", "No space left on device"];
    outages(Fault::Full, &cause, &[0, 20, 60, 110]);
}

#[test]
fn a_disk_that_is_full_for_blobs_uses_up_no_attempts() {
    outages(Fault::FullForBlobs, &["No space left on device"], &[0, 5]);
}

#[test]
fn a_read_only_disk_is_waited_out() {
    outages(
        Fault::ReadOnly,
        &["Read-only file system"],
        &[0, 25, 70, 130],
    );
}

#[test]
fn a_disk_that_does_not_sync_is_waited_out() {
    let cause = ["Input/output error", "disk I/O error"];
    outages(Fault::Sync, &cause, &[0, 7, 20, 41]);
}

#[test]
fn a_command_says_what_is_wrong_with_the_disk() {
    let Some(site) = Site::faulty() else { return };
    let run = site.queue(1, &[]);
    for (fault, cause) in [
        (Fault::Full, "full"),
        (Fault::ReadOnly, "read-only"),
        (Fault::Sync, "I/O error"),
    ] {
        site.faults().begin(fault, 0);
        let data = crate::support::septet::demo("penguins.csv");
        let data = data.to_str().unwrap();
        let refused = site.septet(&["run", data, "--target", "sex"]);
        let line = refused.refused();
        let known = [cause, "No space left", "Read-only", "Input/output"];
        assert!(line.contains(".septet"), "{line}");
        assert!(known.iter().any(|cause| line.contains(cause)), "{line}");
        site.faults().end();
    }
    site.septet(&["work", "--until-empty"]).ok();
    assert_eq!(site.done(&run).outputs(), *undisturbed(1));
}

#[test]
fn a_locked_database_is_waited_for() {
    let site = Site::new();
    let runs = [(1, site.queue(1, &[])), (2, site.queue(2, &[]))];
    let server = site.serve(&[]);
    server.says(&[" done "]);
    let holder = Connection::open(site.store().join("septet.db")).unwrap();
    holder.busy_timeout(Duration::from_secs(30)).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // Longer than the lease: what is begun can't be renewed.
    std::thread::sleep(Duration::from_secs(2));
    holder.execute_batch("ROLLBACK").unwrap();
    for (seed, run) in &runs {
        let seen = site.done(run);
        assert_eq!(seen.attempts(), 1, "{}", seen.0);
        assert_eq!(seen.outputs(), *undisturbed(*seed));
    }
    let log = server.stop();
    assert!(!log.contains(" ERROR "), "{log}");
    site.is_whole();
}
