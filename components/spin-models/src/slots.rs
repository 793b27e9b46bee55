//! Which instance of infer holds which model.

/// One of the two instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The one that is used first.
    #[default]
    First,
    /// The other.
    Second,
}

impl Slot {
    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// What the instances hold, by the bundles' digests.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    first: Option<String>,
    second: Option<String>,
    /// The one that was asked last.
    last: Slot,
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self {
            first: None,
            second: None,
            last: Slot::Second,
        }
    }

    const fn holds(&mut self, slot: Slot) -> &mut Option<String> {
        match slot {
            Slot::First => &mut self.first,
            Slot::Second => &mut self.second,
        }
    }

    /// The instance that holds the model.
    pub(crate) fn find(&mut self, bundle: &str) -> Option<Slot> {
        let slots = [Slot::First, Slot::Second];
        let slot = slots
            .into_iter()
            .find(|slot| self.holds(*slot).as_deref() == Some(bundle))?;
        self.last = slot;
        Some(slot)
    }

    /// An instance for another model: the one that was asked longest ago. It counts as empty until it
    /// is loaded, because an instance keeps its old model where a new one can't be loaded.
    pub(crate) fn clear(&mut self) -> Slot {
        let slot = self.last.other();
        self.last = slot;
        *self.holds(slot) = None;
        slot
    }

    /// The instance has loaded the model.
    pub(crate) fn fill(&mut self, slot: Slot, bundle: String) {
        *self.holds(slot) = Some(bundle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_model_takes_the_place_of_the_oldest() {
        let mut slots = Slots::new();
        for (bundle, slot) in [("a", Slot::First), ("b", Slot::Second)] {
            assert_eq!(slots.find(bundle), None);
            assert_eq!(slots.clear(), slot);
            slots.fill(slot, bundle.to_owned());
        }
        assert_eq!(slots.find("a"), Some(Slot::First));
        assert_eq!(slots.clear(), Slot::Second);
        // It could not be loaded: what the instance still has is not taken for it, nor for what it was.
        assert_eq!(slots.find("b"), None);
        assert_eq!(slots.find("a"), Some(Slot::First));
    }
}
