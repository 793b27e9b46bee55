//! Tails of the tests' distributions, and p-values of many tests at once.

use std::f64::consts::PI;

/// Terms of a series: it converges below a float's precision in far fewer.
const TERMS: u32 = 20;

/// P(K > x) of Kolmogorov's distribution, the limit of √(nm / (n + m)) · D; as
/// `scipy.special.kolmogorov`.
///
/// Two series of theta functions (Marsaglia, Tsang and Wang, *Evaluating Kolmogorov's
/// Distribution*, 2003), each where it converges fast and does not cancel:
/// 2 Σ (−1)^(k−1) exp(−2 k² x²), and 1 − √(2π) / x · Σ exp(−(2k − 1)² π² / (8 x²)).
pub(super) fn kolmogorov(x: f64) -> f64 {
    if x <= 0.0 || x.is_nan() {
        return 1.0;
    }
    if x < 0.82 {
        let exponent = -PI * PI / (8.0 * x * x);
        let terms = (0..TERMS).map(|k| (exponent * f64::from((2 * k + 1).pow(2))).exp());
        return (1.0 - (2.0 * PI).sqrt() / x * terms.sum::<f64>()).clamp(0.0, 1.0);
    }
    let terms = (1..=TERMS).map(|k| {
        let term = (-2.0 * f64::from(k * k) * x * x).exp();
        if k % 2 == 1 { term } else { -term }
    });
    (2.0 * terms.sum::<f64>()).clamp(0.0, 1.0)
}

/// P(X > x) of χ² with so many degrees of freedom; as `scipy.stats.chi2.sf`.
///
/// For whole degrees the incomplete gamma function is a finite sum of positive terms (Abramowitz
/// and Stegun, *Handbook of Mathematical Functions*, 26.4.4 and 26.4.5): with h = x / 2, of even
/// ones Σ exp(−h) hⁱ / i! for i below half of them, of odd ones erfc(√h) and the same with halves.
/// Terms are made of logarithms, because exp(−h) alone may vanish where the term does not.
pub(super) fn chi_squared(x: f64, degrees: u32) -> f64 {
    if degrees == 0 || x <= 0.0 || x.is_nan() {
        return 1.0;
    }
    let h = x / 2.0;
    let odd = degrees % 2 == 1;
    // ln(hⁱ / Γ(i + 1)) for i = 0, 1, … or ½, 3/2, …; Γ(3/2) = √π / 2.
    let mut power = if odd {
        h.ln() / 2.0 - (PI.sqrt() / 2.0).ln()
    } else {
        0.0
    };
    let mut i = if odd { 0.5 } else { 0.0 };
    let mut sum = if odd { libm::erfc(h.sqrt()) } else { 0.0 };
    for _ in 0..degrees / 2 {
        sum += (power - h).exp();
        i += 1.0;
        power += (h / i).ln();
    }
    sum.clamp(0.0, 1.0)
}

/// p-values adjusted so that, of all tests below a level, at most that share is expected to be
/// false (Benjamini and Hochberg, *Controlling the False Discovery Rate*, 1995); in the order of
/// `p_values`, as `scipy.stats.false_discovery_control`.
pub(super) fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len() as f64;
    let mut ranked: Vec<(usize, f64)> = p_values.iter().copied().enumerate().collect();
    ranked.sort_by(|left, right| left.1.total_cmp(&right.1));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (rank, (index, p)) in ranked.into_iter().enumerate().rev() {
        least = least.min(p * count / (rank + 1) as f64);
        if let Some(slot) = adjusted.get_mut(index) {
            *slot = least;
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        let wrong = (found - expected).abs() / expected;
        assert!(wrong < 1e-11, "{found} is not {expected}");
    }

    #[test]
    fn kolmogorov_is_that_of_scipy() {
        for (x, expected) in [
            (0.05, 1.0),
            (0.2, 0.999_999_999_999_495),
            (0.4, 0.997_192_326_777_298_3),
            (0.8, 0.544_142_411_574_198_1),
            (0.8199, 0.512_130_596_100_633_7),
            (0.82, 0.511_971_705_298_497_3),
            (1.0, 0.269_999_671_677_354_56),
            (1.358_098_639_322_550_5, 0.05),
            (2.0, 0.000_670_925_255_779_695_3),
            (3.5, 4.579_469_691_291_106e-11),
            (6.0, 1.076_037_232_004_227_6e-31),
        ] {
            near(kolmogorov(x), expected);
        }
        near(kolmogorov(0.0), 1.0);
        assert!(kolmogorov(1e9).abs() < 1e-300);
    }

    #[test]
    fn chi_squared_is_that_of_scipy() {
        for (x, degrees, expected) in [
            (0.5, 1, 0.479_500_122_186_953_37),
            (3.841_458_820_694_124, 1, 0.05),
            (10.0, 2, 0.006_737_946_999_085_468),
            (7.5, 3, 0.057_558_451_972_636_4),
            (0.001, 4, 0.999_999_875_041_658_9),
            (25.0, 7, 0.000_758_800_255_658_250_2),
            (60.0, 10, 3.624_300_952_061_492_4e-9),
            (120.0, 51, 1.728_891_860_823_387e-7),
            (700.0, 51, 7.387_735_986_165_699e-115),
            (900.0, 2, 3.693_883_068_487_161_5e-196),
            (1400.0, 25, 3.832_215_930_973_459e-280),
        ] {
            near(chi_squared(x, degrees), expected);
        }
        near(chi_squared(5.0, 0), 1.0);
        near(chi_squared(0.0, 3), 1.0);
        assert!(chi_squared(1e9, 51).abs() < 1e-300);
    }

    #[test]
    fn the_false_discovery_rate_is_that_of_scipy() {
        let found = adjusted(&[0.01, 0.04, 0.03, 0.9, 0.005, 0.04, 1.0, 0.2]);
        let expected = [
            0.04,
            0.064,
            0.064,
            1.0,
            0.04,
            0.064,
            1.0,
            0.266_666_666_666_666_66,
        ];
        for (found, expected) in found.into_iter().zip(expected) {
            near(found, expected);
        }
        assert!(adjusted(&[]).is_empty());
    }
}
