//! The population stability index, its noise, and χ²; the formulas are on the parent's page.

/// Standard normal quantile of 99.9 %.
const Z: f64 = 3.090_232_306_167_813;

/// The index of two lists of counts, and the 99.9 % quantile of what it is by chance; see the
/// module's page.
pub(super) fn stability(expected: &[u64], actual: &[u64]) -> (f64, f64) {
    let pairs: Vec<(f64, f64)> = expected
        .iter()
        .zip(actual)
        .filter(|(e, a)| **e > 0 || **a > 0)
        .map(|(e, a)| (*e as f64, *a as f64))
        .collect();
    let bins = pairs.len() as f64;
    let m: f64 = pairs.iter().map(|(e, _)| e).sum();
    let n: f64 = pairs.iter().map(|(_, a)| a).sum();
    if n == 0.0 || m == 0.0 {
        return (0.0, 0.0);
    }
    let share = |count: f64, rows: f64| (count + 0.5) / (rows + 0.5 * bins);
    let index = pairs.iter().map(|(e, a)| {
        let (e, a) = (share(*e, m), share(*a, n));
        (a - e) * (a / e).ln()
    });
    (index.sum(), chi_squared(bins - 1.0) * (1.0 / n + 1.0 / m))
}

/// Pearson's χ² of the 2 × k table of two lists of counts, without correction, and its degrees of
/// freedom; bins that are empty on both sides are left out. None where a side has no rows. As
/// `scipy.stats.chi2_contingency(table, correction=False)`.
pub(super) fn contingency(expected: &[u64], actual: &[u64]) -> Option<(f64, u32)> {
    let n = expected.iter().sum::<u64>() as f64;
    let m = actual.iter().sum::<u64>() as f64;
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let (mut sum, mut bins) = (0.0, 0_u32);
    for (old, new) in expected.iter().zip(actual) {
        let (old, new) = (*old as f64, *new as f64);
        let both = old + new;
        if both > 0.0 {
            let (old_by_chance, new_by_chance) = (both * n / (n + m), both * m / (n + m));
            sum += (old - old_by_chance).powi(2) / old_by_chance;
            sum += (new - new_by_chance).powi(2) / new_by_chance;
            bins += 1;
        }
    }
    Some((sum, bins.saturating_sub(1)))
}

/// 99.9 % quantile of χ² (Wilson and Hilferty, 1931); within 3 % of the exact one.
fn chi_squared(degrees: f64) -> f64 {
    if degrees < 1.0 {
        return 0.0;
    }
    let v = 2.0 / (9.0 * degrees);
    degrees * (1.0 - v + Z * v.sqrt()).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_sum_of_the_formula() {
        // Shares with ½ added: 10.5/21, 10.5/21 against 5.5/21, 15.5/21.
        let (index, noise) = stability(&[10, 10, 0], &[5, 15, 0]);
        let term = |a: f64, e: f64| (a - e) * (a / e).ln();
        let expected = term(5.5 / 21.0, 0.5) + term(15.5 / 21.0, 0.5);
        assert!((index - expected).abs() < 1e-12);
        // χ² with 1 degree of freedom: 10.83; with 10: 29.59.
        assert!((noise / 0.1 - 10.83).abs() < 0.4, "{noise}");
        assert!((chi_squared(10.0) - 29.59).abs() < 0.3);
    }

    #[test]
    fn chi_squared_is_that_of_scipy() {
        let (statistic, degrees) =
            contingency(&[120, 40, 3, 0, 37, 0], &[80, 60, 0, 5, 55, 0]).unwrap();
        assert!((statistic - 23.521_739_130_434_78).abs() < 1e-12);
        assert_eq!(degrees, 4);
        assert_eq!(contingency(&[5], &[9]), Some((0.0, 0)));
        assert_eq!(contingency(&[5], &[0]), None);
    }
}
