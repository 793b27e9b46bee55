//! Names that nobody else makes.

use uuid::Uuid;

/// The highest bit of an identifier that stands for something.
const THERE: u64 = 1 << 63;

/// 62 random bits, in eight bytes that no store takes for the text of a number. A cell that holds
/// one can be counted up by nothing wherever numbers are eight bytes long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id([u8; 8]);

impl Id {
    /// An identifier of something that is there.
    pub(crate) fn fresh() -> Self {
        Self((random() | THERE).to_be_bytes())
    }

    /// An identifier of an absence: told from the absences that others make.
    pub(crate) fn gone() -> Self {
        // The second bit keeps the first byte from being a digit or a sign.
        Self((random() & !THERE | THERE >> 1).to_be_bytes())
    }

    /// What a cell holds, if it is an identifier of something that is there. Whatever else it holds
    /// (a zero as any store writes it, an absence) is none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 8] = bytes.try_into().ok()?;
        (u64::from_be_bytes(bytes) & THERE != 0).then_some(Self(bytes))
    }

    /// An identifier as it is written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let number = u64::from_str_radix(text, 16).ok()?;
        Self::read(&number.to_be_bytes()).filter(|_| text.len() == 16)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The random bits of a UUID; its time does them no harm.
fn random() -> u64 {
    let (high, low) = Uuid::now_v7().as_u64_pair();
    high ^ low
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_there_is_told_from_what_is_not() {
        for _ in 0..1000 {
            let id = Id::fresh();
            assert!(Id::read(id.bytes()) == Some(id));
            assert!(Id::read(Id::gone().bytes()).is_none());
            for id in [id, Id::gone()] {
                assert!(!id.bytes()[0].is_ascii_digit() && id.bytes()[0] >= 0x40);
            }
        }
        for other in [&b""[..], b"0", &[0; 8], &[255; 7], &[255; 9], b"12345678"] {
            assert!(Id::read(other).is_none());
        }
    }

    #[test]
    fn no_two_are_alike() {
        let all: BTreeSet<_> = (0..10_000).map(|_| Id::fresh().to_string()).collect();
        assert_eq!(all.len(), 10_000);
    }
}
