//! The logic: one row at a time, without state. Replace it with your own.

/// The ratio of two values. A row without one of them has none, and neither has a row whose ratio
/// is no finite number (a divisor of zero, for one): a missing value is honest, infinity is not.
pub fn ratio(length: Option<f64>, depth: Option<f64>) -> Option<f64> {
    let ratio = length? / depth?;
    ratio.is_finite().then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::ratio;

    #[test]
    fn a_ratio_is_a_quotient() {
        assert_eq!(ratio(Some(39.0), Some(20.0)), Some(1.95));
        assert_eq!(ratio(Some(0.0), Some(20.0)), Some(0.0));
    }

    #[test]
    fn what_is_missing_stays_missing() {
        assert_eq!(ratio(None, Some(20.0)), None);
        assert_eq!(ratio(Some(39.0), None), None);
    }

    #[test]
    fn a_ratio_that_is_no_number_is_missing() {
        assert_eq!(ratio(Some(39.0), Some(0.0)), None);
        assert_eq!(ratio(Some(0.0), Some(0.0)), None);
        assert_eq!(ratio(Some(f64::NAN), Some(1.0)), None);
        assert_eq!(ratio(Some(f64::MAX), Some(f64::MIN_POSITIVE)), None);
    }
}
