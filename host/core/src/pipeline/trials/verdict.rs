//! Whether a canary is worse than what is in force.
//!
//! It is asked again and again while calls come in, so a bound that chance alone passes once in twenty
//! times would be passed sooner or later. Three things keep it from that: only what is worse by more
//! than a bound counts, only where chance is very unlikely, and only from a number of calls on. A canary
//! that is rolled back stays so: the way back is a person's, and so nothing goes to and fro.

use std::time::Duration;

use anyhow::ensure;

use super::{
    chance::{binomial, fisher},
    tally::Observed,
};

/// The share of calls that the bound on latency leaves out.
const SLOWEST: f64 = 0.05;

/// A difference that nobody notices, whatever its factor is.
const UNNOTICED: Duration = Duration::from_millis(1);

/// From where on a canary is worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Calls of the canary before anything is said of it.
    pub min_calls: u64,
    /// By how much its share of failed calls may be greater.
    pub error_margin: f64,
    /// How many times as long as of the component in force its 95th percentile may be.
    pub latency_factor: f64,
    /// How likely what was seen may be by chance for it to count.
    pub significance: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            min_calls: 20,
            error_margin: 0.01,
            latency_factor: 2.0,
            significance: 0.0001,
        }
    }
}

impl Bounds {
    /// Whether these can be used; the line names the one that can't.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1..=1_000_000).contains(&self.min_calls),
            "min_calls of [canary] is {}: it must be 1 to 1000000",
            self.min_calls
        );
        for (name, value, least, most) in [
            ("error_margin", self.error_margin, 0.0, 1.0),
            ("latency_factor", self.latency_factor, 1.0, 1000.0),
            ("significance", self.significance, 1e-12, 0.1),
        ] {
            ensure!(
                (least..=most).contains(&value),
                "{name} of [canary] is {value}: it must be {least} to {most}"
            );
        }
        Ok(())
    }

    /// Why the canary is worse, with the figures; none where it is not, or that is not known yet.
    pub(super) fn worse(&self, seen: &Observed) -> Option<String> {
        if seen.canary.calls < self.min_calls {
            return None;
        }
        self.errs(seen).or_else(|| self.is_slow(seen))
    }

    fn errs(&self, Observed { canary, control }: &Observed) -> Option<String> {
        let share = |errors: u64, calls: u64| errors as f64 / calls.max(1) as f64;
        let own = share(canary.errors, canary.calls);
        let other = share(control.errors, control.calls);
        if own - other <= self.error_margin {
            return None;
        }
        // Where the canary has all calls, or nearly, it is held against one that never fails.
        let against = match control.calls {
            few if few < self.min_calls => (0, canary.calls),
            calls => (control.errors, calls),
        };
        let chance = fisher((canary.errors, canary.calls), against);
        (chance < self.significance).then(|| {
            format!(
                "{} of {} calls of the canary failed ({:.1}%), and {} of {} of what is in force \
                 ({:.1}%): by chance {chance:.1e}",
                canary.errors,
                canary.calls,
                100.0 * own,
                control.errors,
                control.calls,
                100.0 * other,
            )
        })
    }

    /// Of calls that are as fast as the others no more than one in twenty takes longer than those'
    /// 95th percentile, and all the less longer than twice that.
    fn is_slow(&self, Observed { canary, control }: &Observed) -> Option<String> {
        let (own, other) = (&canary.latencies, &control.latencies);
        let (all, others) = (own.count(), other.count());
        if all < self.min_calls || others < self.min_calls {
            return None;
        }
        let usual = other.quantile(1.0 - SLOWEST)?;
        let most = usual.mul_f64(self.latency_factor).max(usual + UNNOTICED);
        let slow = own.above(most);
        if slow as f64 <= SLOWEST * all as f64 {
            return None;
        }
        let chance = binomial(slow, all, SLOWEST);
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        (chance < self.significance).then(|| {
            format!(
                "{slow} of {all} calls of the canary took longer than {:.1} ms, and 95% of {others} of \
                 what is in force no longer than {:.1} ms (latency_factor {}): by chance {chance:.1e}",
                millis(most),
                millis(usual),
                self.latency_factor,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pipeline::trials::tally::Tally;

    fn tally(calls: u64, errors: u64, micros: u64) -> Tally {
        let mut tally = Tally::default();
        for call in 0..calls {
            let took = Duration::from_micros(micros + call % 10);
            tally.note((call >= errors).then_some(took));
        }
        tally
    }

    fn worse(canary: Tally, control: Tally) -> Option<String> {
        Bounds::default().worse(&Observed { canary, control })
    }

    #[test]
    fn what_fails_is_worse_as_soon_as_there_are_calls_enough() {
        assert_eq!(worse(tally(19, 19, 500), tally(180, 0, 500)), None);
        let why = worse(tally(20, 20, 500), tally(180, 0, 500)).unwrap();
        assert!(
            why.contains("20 of 20 calls") && why.contains("0 of 180"),
            "{why}"
        );
        // Also where it has all calls to itself.
        assert!(worse(tally(40, 20, 500), Tally::default()).is_some());
        assert_eq!(worse(tally(40, 1, 500), Tally::default()), None);
        // What fails both is the calls' fault.
        assert_eq!(worse(tally(100, 50, 500), tally(900, 450, 500)), None);
        // A little worse for sure is within the bound.
        assert_eq!(
            worse(tally(1_000_000, 5_000, 500), tally(1_000_000, 0, 500)),
            None
        );
    }

    #[test]
    fn what_is_slow_is_worse() {
        let why = worse(tally(40, 0, 50_000), tally(400, 0, 5_000)).unwrap();
        assert!(
            why.contains("40 of 40") && why.contains("latency_factor 2"),
            "{why}"
        );
        assert_eq!(worse(tally(40, 0, 6_000), tally(400, 0, 5_000)), None);
        // Nobody notices that.
        assert_eq!(worse(tally(40, 0, 600), tally(400, 0, 100)), None);
        // Against a few calls nothing is said.
        assert_eq!(worse(tally(40, 0, 50_000), tally(10, 0, 5_000)), None);
    }

    #[test]
    fn settings_are_bounded() {
        Bounds::default().check().unwrap();
        let bad = Bounds {
            latency_factor: 0.5,
            ..Bounds::default()
        };
        let error = bad.check().unwrap_err().to_string();
        assert!(error.contains("latency_factor of [canary]"), "{error}");
        let bad = Bounds {
            significance: f64::NAN,
            ..Bounds::default()
        };
        assert!(bad.check().is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Two that are the same, looked at after each of a thousand calls, as a process does at most.
        #[test]
        fn one_that_is_as_good_is_left_alone(seed: u64, rate in 0.0_f64..0.3) {
            let mut seen = Observed::default();
            let mut state = seed | 1;
            let mut random = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1_u64 << 53) as f64
            };
            let bounds = Bounds { significance: 1e-6, ..Bounds::default() };
            for _ in 0..1000 {
                let side = if random() < 0.1 { &mut seen.canary } else { &mut seen.control };
                let took = Duration::from_secs_f64(0.002 * (1.0 + random()));
                side.note((random() >= rate).then_some(took));
                prop_assert_eq!(bounds.worse(&seen), None);
            }
        }
    }
}
