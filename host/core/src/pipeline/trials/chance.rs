//! How likely it is that what was seen is chance.

/// The natural logarithm of n!. Exact to ten digits, by Stirling's series above the small ones.
fn ln_factorial(n: u64) -> f64 {
    if n < 20 {
        return (2..=n).map(|k| (k as f64).ln()).sum();
    }
    let x = n as f64 + 1.0;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// Fisher's exact test, one-sided: how likely at least so many `errors` of all are among the `calls` of
/// the one, if it errs no more often than the other.
pub(super) fn fisher((errors, calls): (u64, u64), (others, other_calls): (u64, u64)) -> f64 {
    let (all_errors, all) = (errors + others, calls + other_calls);
    let most = all_errors.min(calls);
    if errors > most || others > other_calls {
        return 1.0;
    }
    let of_all = ln_choose(all, calls);
    let mut sum = 0.0;
    // At least so many must be the other's, who has no more calls.
    for k in errors.max(all_errors.saturating_sub(other_calls))..=most {
        let ways = ln_choose(all_errors, k) + ln_choose(all - all_errors, calls - k);
        let term = (ways - of_all).exp();
        sum += term;
        // Behind the middle the terms only fall.
        if term < sum * 1e-12 {
            break;
        }
    }
    f64::min(sum, 1.0)
}

/// How likely at least `some` of `all` happen, where each does with this probability.
pub(super) fn binomial(some: u64, all: u64, probability: f64) -> f64 {
    if some == 0 {
        return 1.0;
    }
    let (yes, no) = (probability.ln(), (1.0 - probability).ln());
    let mut sum = 0.0;
    for k in some..=all {
        let term = (ln_choose(all, k) + k as f64 * yes + (all - k) as f64 * no).exp();
        sum += term;
        // Before the middle the terms grow: only behind it a small one is the end.
        if k as f64 > probability * all as f64 && term < sum * 1e-12 {
            break;
        }
    }
    f64::min(sum, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(one: f64, other: f64) {
        assert!((one - other).abs() <= 1e-9 * other.abs(), "{one} {other}");
    }

    #[test]
    fn the_figures_are_those_of_scipy() {
        // scipy.stats.fisher_exact([[3, 1], [1, 3]], alternative="greater")
        near(fisher((3, 4), (1, 4)), 17.0 / 70.0);
        // The same with [[10, 0], [0, 90]]: one way of 100 over 10.
        near(fisher((10, 10), (0, 90)), (-ln_choose(100, 10)).exp());
        near(fisher((0, 10), (5, 90)), 1.0);
        near(fisher((5, 5), (5, 5)), 1.0);
        // scipy.stats.binom.sf(2, 10, 0.05)
        near(binomial(3, 10, 0.05), 0.011_503_557_379_296_871);
        near(binomial(1, 1, 0.05), 0.05);
        near(binomial(0, 0, 0.05), 1.0);
    }

    proptest! {
        #[test]
        fn it_is_a_probability_and_falls_with_the_errors(
            calls in 0_u64..500, others in 0_u64..500, a in 0_u64..500, b in 0_u64..500,
        ) {
            let (errors, b) = (a.min(calls), b.min(others));
            let p = fisher((errors, calls), (b, others));
            prop_assert!((0.0..=1.0).contains(&p), "{p}");
            if errors < calls {
                prop_assert!(fisher((errors + 1, calls), (b, others)) <= p + 1e-9);
            }
            let q = binomial(errors, calls, 0.05);
            prop_assert!((0.0..=1.0).contains(&q), "{q}");
        }

        #[test]
        fn it_is_the_sum_over_all_tables(calls in 1_u64..30, others in 1_u64..30, errors in 0_u64..60) {
            let errors = errors.min(calls + others);
            let least = errors.saturating_sub(others);
            let p = fisher((least, calls), (errors - least, others));
            prop_assert!((p - 1.0).abs() < 1e-9, "{p}");
        }
    }
}
