//! Matches in a row, over all processes: each keeps when its own were and when its last difference was, so
//! that what came after the last difference of any of them can be counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contract::Digest;

/// Matches that are kept; more in a row than this are as good as this many.
pub(super) const MOST: usize = 1000;

/// Components that were in force while a shadow was tried, of which matches are kept.
const COMPONENTS: usize = 8;

/// When calls were answered alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Streak {
    /// Milliseconds since 1970 of the last call that was no match.
    broken: u64,
    /// Of each component in force, when the calls since then were that matched its answers, ascending.
    matches: BTreeMap<Digest, Vec<u64>>,
}

impl Streak {
    /// A call that was answered as the component in force did.
    pub(super) fn matched(&mut self, in_force: Digest, at: u64) {
        // A clock may be set: what comes after a difference is never before it.
        let at = at.max(self.broken.saturating_add(1));
        self.matches.entry(in_force).or_default().push(at);
        self.bound();
    }

    /// A call that was answered otherwise, or not at all.
    pub(super) fn breaks(&mut self, at: u64) {
        self.broken = self.broken.max(at);
        self.matches.clear();
    }

    /// Adds what another process has seen.
    pub(super) fn add(&mut self, other: &Self) {
        self.broken = self.broken.max(other.broken);
        for (in_force, times) in &other.matches {
            self.matches.entry(*in_force).or_default().extend(times);
        }
        let broken = self.broken;
        for times in self.matches.values_mut() {
            times.retain(|at| *at > broken);
            times.sort_unstable();
        }
        self.matches.retain(|_, times| !times.is_empty());
        self.bound();
    }

    /// How many matches there are in a row, with the component that was in force last: it counts for
    /// nothing that it answered as one did that is in force no more.
    pub(super) fn length(&self) -> u64 {
        let newest = self.matches.values().max_by_key(|times| times.last());
        newest.map_or(0, |times| times.len() as u64)
    }

    fn bound(&mut self) {
        for times in self.matches.values_mut() {
            let old = times.len().saturating_sub(MOST);
            times.drain(..old);
        }
        while self.matches.len() > COMPONENTS {
            let oldest = self.matches.iter().min_by_key(|(_, times)| times.last());
            let Some(oldest) = oldest.map(|(component, _)| *component) else {
                return;
            };
            self.matches.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: u8) -> Digest {
        Digest::of(&[name])
    }

    #[test]
    fn a_difference_of_any_process_sets_it_back() {
        let (mut one, mut other) = (Streak::default(), Streak::default());
        for at in [10, 20, 30] {
            one.matched(component(1), at);
            other.matched(component(1), at + 5);
        }
        let sum = |one: &Streak, other: &Streak| {
            let mut sum = one.clone();
            sum.add(other);
            sum.length()
        };
        assert_eq!((one.length(), sum(&one, &other)), (3, 6));
        other.breaks(21);
        // Of the one's, what came before does not count any more.
        assert_eq!((other.length(), sum(&one, &other)), (0, 1));
        assert_eq!(sum(&other, &one), 1);
        other.matched(component(1), 21);
        assert_eq!(sum(&other, &one), 2);
        one.breaks(50);
        assert_eq!(sum(&other, &one), 0);
    }

    #[test]
    fn it_is_with_one_component_and_bounded() {
        let mut streak = Streak::default();
        for at in 0..2 * MOST as u64 {
            streak.matched(component(1), at);
        }
        assert_eq!(streak.length(), MOST as u64);
        streak.matched(component(2), 5000);
        assert_eq!(streak.length(), 1);
        for name in 3..50 {
            streak.matched(component(name), 6000 + u64::from(name));
        }
        assert!(streak.matches.len() <= COMPONENTS);
    }
}
