//! Which files of a folder have come to rest, and which of them were dealt with. Pure: it is told
//! what there is and what time it is.

use std::{collections::BTreeMap, time::Duration};

use super::scan::Stamp;
use crate::{contract::Digest, trigger::later::Later};

/// A file as it was last seen.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) stamp: Stamp,
    /// Since when it has looked like that, in milliseconds since 1970.
    since: u64,
    /// What it holds, once that was read.
    pub(super) digest: Option<Digest>,
    /// Its run is there.
    pub(super) done: bool,
    pub(super) later: Later,
}

/// The files of a folder.
#[derive(Debug)]
pub(super) struct Seen {
    settle: u64,
    pub(super) files: BTreeMap<String, File>,
    /// When any of them last came, went or changed.
    changed: u64,
}

impl Seen {
    pub(super) fn new(settle: Duration) -> Self {
        Self {
            settle: u64::try_from(settle.as_millis()).unwrap_or(u64::MAX),
            files: BTreeMap::new(),
            changed: 0,
        }
    }

    /// Takes in what there is at `now`; gives whether anything is not as it was.
    pub(super) fn see(&mut self, found: BTreeMap<String, Stamp>, now: u64) -> bool {
        let before = self.files.len();
        self.files.retain(|name, _| found.contains_key(name));
        let mut changed = self.files.len() != before;
        for (name, stamp) in found {
            match self.files.get_mut(&name) {
                Some(file) if file.stamp == stamp => {
                    // The clock was put back: to rest is to rest on the clock of now.
                    file.since = file.since.min(now);
                }
                _ => {
                    self.files.insert(name, File::new(stamp, now));
                    changed = true;
                }
            }
        }
        self.changed = if changed { now } else { self.changed.min(now) };
        changed
    }

    /// Files that have come to rest, are due and not done, in order of names.
    pub(super) fn settled(&self, now: u64) -> Vec<String> {
        let settled = self.files.iter().filter(|(_, file)| {
            !file.done && now.saturating_sub(file.since) >= self.settle && file.later.is_due(now)
        });
        settled.map(|(name, _)| name.clone()).collect()
    }

    /// Whether nothing of the folder has changed for long enough.
    pub(super) fn is_quiet(&self, now: u64) -> bool {
        !self.files.is_empty() && now.saturating_sub(self.changed) >= self.settle
    }

    /// A file changed while it was read: it has to come to rest again.
    pub(super) fn disturb(&mut self, name: &str, now: u64) {
        self.changed = now;
        if let Some(file) = self.files.get_mut(name) {
            *file = File::new(file.stamp, now);
        }
    }
}

impl File {
    fn new(stamp: Stamp, now: u64) -> Self {
        Self {
            stamp,
            since: now,
            digest: None,
            done: false,
            later: Later::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        store::{Clock as _, ManualClock},
        trigger::folder::scan::scan,
    };

    const SETTLE: Duration = Duration::from_secs(2);

    struct Look {
        folder: tempfile::TempDir,
        clock: ManualClock,
        seen: Seen,
    }

    impl Look {
        fn new() -> Self {
            Self {
                folder: tempfile::TempDir::new().unwrap(),
                clock: ManualClock::new(1_700_000_000_000),
                seen: Seen::new(SETTLE),
            }
        }

        fn path(&self) -> &Path {
            self.folder.path()
        }

        /// A second later.
        fn next(&mut self) -> Vec<String> {
            self.clock.advance(Duration::from_secs(1));
            let found = scan(self.folder.path(), None).unwrap().files;
            self.seen.see(found, self.clock.now());
            self.seen.settled(self.clock.now())
        }
    }

    #[test]
    fn a_file_that_grows_is_not_taken() {
        let mut look = Look::new();
        let mut text = "a\n".to_owned();
        for row in ["1", "2", "3"] {
            text.extend([row, "\n"]);
            fs::write(look.path().join("a.csv"), &text).unwrap();
            assert!(look.next().is_empty(), "row {row}");
        }
        assert!(look.next().is_empty());
        assert!(!look.seen.is_quiet(look.clock.now()));
        assert_eq!(look.next(), ["a.csv"]);
        assert!(look.seen.is_quiet(look.clock.now()));
        look.seen.files.get_mut("a.csv").unwrap().done = true;
        assert!(look.next().is_empty());
        // Another content is another file, and so is one that is put in its place.
        fs::write(look.path().join("a.csv"), "a\n7\n").unwrap();
        look.next();
        look.next();
        assert_eq!(look.next(), ["a.csv"]);
        look.seen.files.get_mut("a.csv").unwrap().done = true;
        fs::write(look.path().join("a.csv.tmp"), "a\n7\n").unwrap();
        fs::rename(look.path().join("a.csv.tmp"), look.path().join("a.csv")).unwrap();
        assert!(look.next().is_empty());
        look.next();
        assert_eq!(look.next(), ["a.csv"]);
    }

    #[test]
    fn what_goes_is_forgotten_and_disturbs_the_whole() {
        let mut look = Look::new();
        for name in ["a.csv", "b.csv"] {
            fs::write(look.path().join(name), "a\n1\n").unwrap();
        }
        for _ in 0..3 {
            look.next();
        }
        assert!(look.seen.is_quiet(look.clock.now()));
        fs::remove_file(look.path().join("b.csv")).unwrap();
        assert_eq!(look.next(), ["a.csv"]);
        assert!(!look.seen.is_quiet(look.clock.now()));
        assert_eq!(look.seen.files.len(), 1);
        fs::remove_file(look.path().join("a.csv")).unwrap();
        for _ in 0..3 {
            look.next();
        }
        assert!(!look.seen.is_quiet(look.clock.now()), "nothing is no data");
    }

    #[test]
    fn a_clock_that_is_put_back_does_not_hold_files_up() {
        let mut look = Look::new();
        fs::write(look.path().join("a.csv"), "a\n1\n").unwrap();
        look.next();
        look.clock = ManualClock::new(1_000_000_000_000);
        assert!(look.next().is_empty());
        look.next();
        assert_eq!(look.next(), ["a.csv"]);
    }
}
