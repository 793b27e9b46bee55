//! A share of calls.

use std::{fmt, str::FromStr};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize, de};
use sha2::Digest as _;

/// All calls, in hundredths of a percent.
const ALL: u16 = 10_000;

/// A percentage above 0 and up to 100, in hundredths: so that it is written and compared exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Percent(u16);

impl Percent {
    /// All calls.
    pub const ALL: Self = Self(ALL);

    /// So many hundredths of a percent.
    pub fn from_hundredths(hundredths: u16) -> anyhow::Result<Self> {
        let percent = f64::from(hundredths) / 100.0;
        ensure!(
            (1..=ALL).contains(&hundredths),
            "{percent} is no share of calls: give it from 0.01% to 100%"
        );
        Ok(Self(hundredths))
    }

    /// As people say it: 12.5 for an eighth.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Whether the call with this key is within the share. The same key always is or never is, for
    /// the same `salt`; other salts choose other keys.
    pub fn takes(self, salt: u64, key: &[u8]) -> bool {
        let mut hash = sha2::Sha256::new();
        hash.update(salt.to_le_bytes());
        hash.update(key);
        let bytes: [u8; 32] = hash.finalize().into();
        let first = bytes.first_chunk().copied().unwrap_or_default();
        let number = u64::from_le_bytes(first);
        // Where the number stands in all there are, in hundredths of a percent.
        let place = (u128::from(number) * u128::from(ALL)) >> 64;
        place < u128::from(self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.as_f64())
    }
}

impl FromStr for Percent {
    type Err = anyhow::Error;

    /// `10%`, `10` or `0.5%`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown: String = text.chars().take(20).collect();
        let wrong = || {
            let shown = shown.escape_debug();
            format!("'{shown}' is no share of calls: give it from 0.01% to 100%")
        };
        let number = text.strip_suffix('%').unwrap_or(text);
        let percent: f64 = number.trim().parse().ok().with_context(wrong)?;
        let hundredths = (percent * 100.0).round();
        ensure!((1.0..=f64::from(ALL)).contains(&hundredths), wrong());
        Self::from_hundredths(hundredths as u16)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hundredths = u16::deserialize(deserializer)?;
        Self::from_hundredths(hundredths).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_and_shown() {
        for (text, shown) in [
            ("10%", "10%"),
            ("10", "10%"),
            ("0.01%", "0.01%"),
            ("100", "100%"),
        ] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), shown);
        }
        for bad in [
            "", "%", "0", "0.001", "-1", "100.1", "nan", "inf", "1e9", "ten",
        ] {
            let error = bad.parse::<Percent>().unwrap_err().to_string();
            assert!(error.contains("0.01% to 100%"), "{error}");
        }
        assert!(serde_json::from_str::<Percent>("0").is_err());
        assert!(serde_json::from_str::<Percent>("10001").is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_key_stays_where_it_is_and_a_share_is_about_itself(
            hundredths in 1_u16..=ALL, salt: u64,
        ) {
            let share = Percent(hundredths);
            let keys = 0..4000_u32;
            let taken = keys.filter(|key| share.takes(salt, &key.to_le_bytes())).count() as f64;
            let expected = 4000.0 * f64::from(hundredths) / f64::from(ALL);
            // Six standard deviations: by chance it fails less than once in hundred million cases.
            let bound = 6.0 * expected.sqrt().max(1.0) + 1.0;
            proptest::prop_assert!((taken - expected).abs() <= bound, "{taken} {expected}");
            // A wider share takes whatever a narrower one does.
            let wider = Percent(hundredths.saturating_add(500).min(ALL));
            for key in 0..200_u32 {
                let key = key.to_le_bytes();
                proptest::prop_assert!(!share.takes(salt, &key) || wider.takes(salt, &key));
            }
        }
    }
}
