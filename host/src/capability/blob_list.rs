//! Finding blobs by name.
//!
//! A result may depend only on what the invocation pins, so the names that a call can list are
//! those of its own inputs: whoever made the invocation resolved globs and prefixes before. An
//! input's key is its name; where a name comes more than once, `name/00000`, `name/00001`, … in
//! the inputs' order.

use std::collections::BTreeMap;

use wasmtime::component::Linker;

use super::{
    Answer, Granted, View, Viewed,
    bindings::septet::capability::blob_list::{self, Entry, Error, Host},
};
use crate::{contract::Artifact, stage::Capability};

/// The most entries in one answer.
const MOST: usize = 1000;

/// Inputs by key.
fn keys(inputs: &[Artifact]) -> BTreeMap<String, &Artifact> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for input in inputs {
        *counts.entry(&input.name).or_default() += 1;
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for input in inputs {
        let key = if counts.get(input.name.as_str()) == Some(&1) {
            input.name.clone()
        } else {
            let number = seen.entry(&input.name).or_default();
            *number += 1;
            format!("{}/{:05}", input.name, *number - 1)
        };
        keys.insert(key, input);
    }
    keys
}

fn page(inputs: &[Artifact], prefix: &str, after: Option<&str>, limit: u32) -> Vec<Entry> {
    keys(inputs)
        .into_iter()
        .filter(|(key, _)| {
            key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
        })
        .take((limit as usize).min(MOST))
        .map(|(key, input)| Entry {
            key,
            size: input.size,
            digest: input.digest.to_string(),
        })
        .collect()
}

impl Host for View<'_> {
    async fn list(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<Vec<Entry>, Error> {
        let _busy = self.context.enter(Capability::BlobList)?;
        let inputs = &self.context.scope.inputs;
        Ok(Ok(page(inputs, &prefix, after.as_deref(), limit)))
    }
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Viewed>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    blob_list::add_to_linker::<T, Granted>(linker, T::view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Digest;

    fn input(name: &str, content: &[u8]) -> Artifact {
        Artifact {
            name: name.to_owned(),
            digest: Digest::of(content),
            size: content.len() as u64,
            media_type: "text/csv".to_owned(),
        }
    }

    fn listed(prefix: &str, after: Option<&str>, limit: u32) -> Vec<String> {
        let inputs = [
            input("table", b"1"),
            input("source", b"2"),
            input("table", b"3"),
        ];
        let entries = page(&inputs, prefix, after, limit);
        entries.into_iter().map(|entry| entry.key).collect()
    }

    #[test]
    fn inputs_are_listed_in_the_order_of_their_keys() {
        assert_eq!(
            listed("", None, 10),
            ["source", "table/00000", "table/00001"]
        );
        assert_eq!(listed("table", None, 1), ["table/00000"]);
        assert_eq!(listed("", Some("table/00000"), 10), ["table/00001"]);
        assert!(listed("x", None, 10).is_empty());
        assert!(listed("", None, 0).is_empty());
    }
}
