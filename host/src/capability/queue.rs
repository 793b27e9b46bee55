//! Messages of a stage's own, within its labels. They are kept here and leave with the commit.

use std::collections::BTreeSet;

use wasmtime::component::Linker;

use super::{
    Answer, Granted, View, Viewed,
    bindings::septet::capability::queue::{self, Error, Host},
};
use crate::{
    contract::StageMessage,
    stage::{Capability, Limits},
};

/// Messages that were accepted.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    messages: Vec<StageMessage>,
}

impl Outbox {
    /// The messages, in the order in which they were sent.
    pub(crate) fn take(&mut self) -> Vec<StageMessage> {
        std::mem::take(&mut self.messages)
    }

    pub(crate) fn accept(
        &mut self,
        label: String,
        body: Vec<u8>,
        labels: &BTreeSet<String>,
        limits: &Limits,
    ) -> Result<(), Error> {
        if !labels.contains(&label) {
            return Err(Error::AccessDenied);
        }
        if body.len() as u64 > limits.message_bytes {
            return Err(Error::TooLarge(limits.message_bytes));
        }
        if self.messages.len() as u64 >= limits.messages {
            return Err(Error::TooLarge(limits.messages));
        }
        self.messages.push(StageMessage {
            label,
            body,
            claim: None,
        });
        Ok(())
    }
}

impl Host for View<'_> {
    async fn send(&mut self, label: String, body: Vec<u8>) -> Answer<(), Error> {
        let _busy = self.context.enter(Capability::Queue)?;
        let context = &mut *self.context;
        let (labels, limits) = (&context.scope.labels, &context.limits);
        Ok(context.outbox.accept(label, body, labels, limits))
    }
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    queue::add_to_linker::<T, Granted>(linker, T::view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_count_and_bytes_are_bounded() {
        let limits = Limits {
            messages: 1,
            message_bytes: 4,
            ..Limits::default()
        };
        let labels = BTreeSet::from(["alerts".to_owned()]);
        let mut outbox = Outbox::default();
        let mut send = |label: &str, body: &[u8]| {
            outbox.accept(label.to_owned(), body.to_vec(), &labels, &limits)
        };
        assert_eq!(send("fan-out", b"x"), Err(Error::AccessDenied));
        assert_eq!(send("alerts", b"12345"), Err(Error::TooLarge(4)));
        assert_eq!(send("alerts", b"1234"), Ok(()));
        assert_eq!(send("alerts", b""), Err(Error::TooLarge(1)));
    }
}
