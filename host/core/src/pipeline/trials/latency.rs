//! How long calls took: counts in buckets whose bounds grow by a fifth, from a microsecond to an hour.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// Buckets for each doubling of the time.
const STEPS: f64 = 4.0;

/// The last bucket: everything from an hour on.
const LAST: u8 = 127;

/// Times of calls, as counts: they can be added up, whoever measured them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Latencies(BTreeMap<u8, u64>);

impl Latencies {
    /// Counts a call.
    pub fn note(&mut self, took: Duration) {
        let count = self.0.entry(bucket(took)).or_default();
        *count = count.saturating_add(1);
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        for (bucket, more) in &other.0 {
            let count = self.0.entry(*bucket).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// How many calls were counted.
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The time that this share of the calls did not take longer than, up to a fifth too much; none
    /// where there are no calls.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let all = self.count();
        let wanted = (share * all as f64).ceil().max(1.0) as u64;
        let mut sum = 0_u64;
        let mut buckets = self.0.iter();
        let found = buckets.find(|(_, count)| {
            sum = sum.saturating_add(**count);
            sum >= wanted
        });
        found.map(|(bucket, _)| upper(*bucket))
    }

    /// How many calls took longer for sure.
    pub fn above(&self, most: Duration) -> u64 {
        let above = self.0.iter().filter(|(bucket, _)| lower(**bucket) >= most);
        above.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

fn bucket(took: Duration) -> u8 {
    let micros = took.as_secs_f64() * 1e6;
    let place = (micros.max(1.0).log2() * STEPS).floor();
    place.clamp(0.0, f64::from(LAST)) as u8
}

/// Where a bucket begins.
fn lower(bucket: u8) -> Duration {
    Duration::from_secs_f64((f64::from(bucket) / STEPS).exp2() / 1e6)
}

/// Where it ends.
fn upper(bucket: u8) -> Duration {
    lower(bucket.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: &[u64]) -> Latencies {
        let mut latencies = Latencies::default();
        for micros in micros {
            latencies.note(Duration::from_micros(*micros));
        }
        latencies
    }

    #[test]
    fn nothing_and_what_is_beyond_all_bounds() {
        assert_eq!(Latencies::default().quantile(0.95), None);
        let far = of(&[0, u64::MAX / 2_000]);
        assert_eq!(far.count(), 2);
        assert!(far.quantile(1.0).unwrap() > Duration::from_hours(1));
        let text = serde_json::to_string(&far).unwrap();
        assert_eq!(serde_json::from_str::<Latencies>(&text).unwrap(), far);
    }

    proptest! {
        #[test]
        fn a_quantile_is_right_to_a_fifth(
            micros in proptest::collection::vec(1_u64..1_000_000_000, 1..200),
            share in 0.01_f64..1.0,
        ) {
            let mut sorted = micros.clone();
            sorted.sort_unstable();
            let place = ((share * sorted.len() as f64).ceil() as usize).max(1) - 1;
            let exact = sorted[place] as f64;
            let told = of(&micros).quantile(share).unwrap().as_secs_f64() * 1e6;
            prop_assert!(told >= exact * 0.999 && told <= exact * 1.2, "{told} {exact}");
        }

        #[test]
        fn parts_add_up_to_the_whole(
            one in proptest::collection::vec(any::<u64>(), 0..50),
            other in proptest::collection::vec(any::<u64>(), 0..50),
        ) {
            let mut sum = of(&one);
            sum.add(&of(&other));
            prop_assert_eq!(sum, of(&[one, other].concat()));
        }

        #[test]
        fn what_is_above_is_slower_for_sure(
            micros in proptest::collection::vec(1_u64..1_000_000, 0..100), most in 1_u64..1_000_000,
        ) {
            let exact = micros.iter().filter(|m| **m >= most).count() as u64;
            prop_assert!(of(&micros).above(Duration::from_micros(most)) <= exact);
        }
    }
}
