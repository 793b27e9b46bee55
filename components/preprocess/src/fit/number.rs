//! A column of numbers: imputation and scaling as scikit-learn's.

use septet_kit::preprocessing::Encoding;

use super::settings::{Impute, NumberSettings, Scale};

/// The encoding of numbers with nulls as none; none where all train rows would be equal. At least
/// one number is there, and none is infinite. Numbers too large to be scaled are an error.
///
/// Formulas: `SimpleImputer`, then `StandardScaler` (mean, population deviation), `MinMaxScaler` or
/// `RobustScaler` (median, and numpy's linear percentiles 25 and 75), of scikit-learn 1.9. Sums
/// are compensated, so that an offset costs no digits.
pub(super) fn encoding(
    numbers: &[Option<f64>],
    settings: &NumberSettings,
) -> Result<Option<Encoding>, &'static str> {
    const TOO_LARGE: &str = "can't be scaled: its values are too large";
    let there: Vec<f64> = numbers.iter().copied().flatten().collect();
    let lacking = numbers.len() - there.len();
    let indicator = settings.indicator && lacking > 0;
    let fill = match settings.impute.unwrap_or(Impute::Mean) {
        Impute::Mean | Impute::None => mean(&there),
        Impute::Median => quantile(&sorted(&there), 0.5),
        Impute::MostFrequent => most_frequent(&sorted(&there)),
        Impute::Constant => settings.fill_value.unwrap_or(0.0),
    };
    let filled: Vec<f64> = numbers
        .iter()
        .map(|number| number.unwrap_or(fill))
        .collect();
    let first = filled.first().copied().unwrap_or_default();
    let constant = filled.iter().all(|number| number - first == 0.0);
    if constant && !indicator {
        return Ok(None);
    }
    let (center, scale) = match settings.scale {
        Scale::Standard => {
            let center = mean(&filled);
            (center, deviation(&filled, center))
        }
        Scale::MinMax => {
            let least = filled.iter().copied().fold(f64::INFINITY, f64::min);
            let most = filled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (least, most - least)
        }
        Scale::Robust => {
            let sorted = sorted(&filled);
            (
                quantile(&sorted, 0.5),
                quantile(&sorted, 0.75) - quantile(&sorted, 0.25),
            )
        }
        Scale::None => (0.0, 1.0),
    };
    if !(fill.is_finite() && center.is_finite() && scale.is_finite()) {
        return Err(TOO_LARGE);
    }
    // As scikit-learn, a range of nothing scales by 1.
    let scale = if constant || scale < 10.0 * f64::EPSILON && settings.scale != Scale::Standard {
        1.0
    } else {
        scale
    };
    if scale == 0.0 {
        return Ok(None);
    }
    Ok(Some(Encoding::Number {
        fill,
        center,
        scale,
        indicator,
    }))
}

/// The mean, by Neumaier's compensated sum.
pub(super) fn mean(numbers: &[f64]) -> f64 {
    sum(numbers.iter().copied()) / numbers.len().max(1) as f64
}

/// The population standard deviation, corrected for the rounding of the mean.
pub(super) fn deviation(numbers: &[f64], mean: f64) -> f64 {
    let count = numbers.len().max(1) as f64;
    let differences = || numbers.iter().map(|number| number - mean);
    let rest = sum(differences());
    let squares = sum(differences().map(|difference| difference * difference));
    let variance = (squares - rest * rest / count) / count;
    if variance < 0.0 { 0.0 } else { variance.sqrt() }
}

fn sum(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for number in numbers {
        let next = sum + number;
        lost += if sum.abs() >= number.abs() {
            (sum - next) + number
        } else {
            (number - next) + sum
        };
        sum = next;
    }
    sum + lost
}

fn sorted(numbers: &[f64]) -> Vec<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// As numpy's linear percentile interpolates.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let (at, between) = (place.floor() as usize, place.fract());
    let low = sorted.get(at).copied().unwrap_or_default();
    let high = sorted.get(at + 1).copied().unwrap_or(low);
    let difference = high - low;
    if between < 0.5 {
        low + difference * between
    } else {
        high - difference * (1.0 - between)
    }
}

/// The smallest of the most frequent numbers.
fn most_frequent(sorted: &[f64]) -> f64 {
    let mut best = (0, 0.0);
    // They are sorted: one that is not less than the next is equal to it.
    for run in sorted.chunk_by(|left, right| left >= right) {
        if run.len() > best.0 {
            best = (run.len(), run.first().copied().unwrap_or_default());
        }
    }
    best.1 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(numbers: &[f64], impute: Impute, scale: Scale) -> (f64, f64, f64) {
        let settings = NumberSettings {
            impute: Some(impute),
            scale,
            fill_value: (impute == Impute::Constant).then_some(9.0),
            indicator: false,
        };
        let numbers: Vec<_> = numbers
            .iter()
            .map(|n| (!n.is_nan()).then_some(*n))
            .collect();
        match encoding(&numbers, &settings).unwrap().unwrap() {
            Encoding::Number {
                fill,
                center,
                scale,
                ..
            } => (fill, center, scale),
            other => panic!("{other:?}"),
        }
    }

    const NAN: f64 = f64::NAN;

    #[test]
    fn numbers_are_as_scikit_learn_has_them() {
        let numbers = [1.0, 2.0, 6.0, NAN];
        let fitted = |impute, scale| fitted(&numbers, impute, scale);
        assert_eq!(
            fitted(Impute::Mean, Scale::Standard),
            (3.0, 3.0, 3.5_f64.sqrt())
        );
        assert_eq!(fitted(Impute::Median, Scale::MinMax), (2.0, 1.0, 5.0));
        assert_eq!(fitted(Impute::MostFrequent, Scale::None), (1.0, 0.0, 1.0));
        // Percentiles 25, 50 and 75 of 1, 2, 6, 9.
        assert_eq!(
            fitted(Impute::Constant, Scale::Robust),
            (9.0, 4.0, 6.75 - 1.75)
        );
    }

    #[test]
    fn the_smallest_of_the_most_frequent_is_taken() {
        assert!((most_frequent(&sorted(&[3.0, -1.0, 3.0, -1.0, 7.0])) + 1.0).abs() < 1e-15);
    }

    #[test]
    fn an_offset_costs_no_digits() {
        let numbers: Vec<f64> = (0..10_000).map(|n| 1e9 + f64::from(n % 2)).collect();
        let (_, center, scale) = fitted(&numbers, Impute::Mean, Scale::Standard);
        assert!((center - 1e9 - 0.5).abs() < 1e-6);
        assert!((scale - 0.5).abs() < 1e-12, "{scale}");
    }

    #[test]
    fn a_range_of_nothing_scales_by_one() {
        let mostly = [5.0, 5.0, 5.0, 5.0, 5.0, 9.0];
        assert_eq!(
            fitted(&mostly, Impute::Mean, Scale::Robust),
            (34.0 / 6.0, 5.0, 1.0)
        );
    }

    #[test]
    fn an_indicator_keeps_a_constant_column() {
        let numbers = [Some(2.0), None, Some(2.0)];
        let mut settings = NumberSettings::default();
        assert_eq!(encoding(&numbers, &settings), Ok(None));
        settings.indicator = true;
        let expected = Encoding::Number {
            fill: 2.0,
            center: 2.0,
            scale: 1.0,
            indicator: true,
        };
        assert_eq!(encoding(&numbers, &settings), Ok(Some(expected)));
        let huge = [Some(f64::MAX), Some(-f64::MAX), Some(f64::MAX)];
        assert!(encoding(&huge, &settings).is_err());
    }
}
