//! Reads the log of names and appends to it. To create the next entry is the compare-and-swap: who
//! comes second reads again and decides again.

use std::sync::Arc;

use anyhow::{bail, ensure};

use super::{
    event::{Addition, Entry, Event, Removal, chain},
    name::{TransformRef, check_transform},
    state::{NamedTransform, Names, TransformVersion},
};
use crate::{
    contract::Digest,
    pipeline::chain::Head,
    store::{Clock, Records},
    trust::MAX_SIGNATURE,
};

/// How often a change is tried against others that are faster.
const PATIENCE: usize = 100;

/// The longest report of an entry, in bytes.
const MAX_REPORT: usize = 64 << 10;

/// The names of transforms in a store.
#[derive(Clone)]
pub struct Transforms {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
}

/// What became of an addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// The name stands for the component now, in this version.
    New(TransformVersion),
    /// It did already.
    Already(TransformVersion),
}

impl Transforms {
    pub(in crate::pipeline) fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock }
    }

    /// The whole log, its links checked.
    pub async fn log(&self) -> anyhow::Result<Vec<Entry>> {
        Ok(self.read().await?.0)
    }

    /// All names that stand for something, in order.
    pub async fn list(&self) -> anyhow::Result<Vec<NamedTransform>> {
        Ok(Names::fold(&self.log().await?).living())
    }

    /// The name with all its versions; where it stands for nothing, the error names the nearest.
    pub async fn named(&self, name: &str) -> anyhow::Result<NamedTransform> {
        check_transform(name)?;
        let names = Names::fold(&self.log().await?);
        let newest = TransformRef {
            name: name.to_owned(),
            version: None,
        };
        names.find(&newest)?;
        match names.get(name) {
            Some(named) => Ok(named.clone()),
            None => bail!("there is no transform '{name}'"),
        }
    }

    /// The version that a user means.
    pub async fn find(&self, asked: &TransformRef) -> anyhow::Result<TransformVersion> {
        let names = Names::fold(&self.log().await?);
        names.find(asked).cloned()
    }

    /// What users call these components, in the same order; empty where one has no name.
    pub async fn names_of(&self, components: &[Digest]) -> anyhow::Result<Vec<Vec<TransformRef>>> {
        if components.is_empty() {
            return Ok(Vec::new());
        }
        let names = Names::fold(&self.log().await?);
        let of = components.iter().map(|component| names.of(component));
        Ok(of.collect())
    }

    /// Makes the name stand for a component, whose bytes must be in the store: a new version of it,
    /// unless its newest is that component.
    pub async fn add(&self, addition: Addition, who: &str) -> anyhow::Result<Added> {
        check_transform(&addition.name)?;
        // One entry must stay small, whatever was sent.
        let signature = addition.signature.as_deref().unwrap_or_default();
        ensure!(
            signature.len() <= MAX_SIGNATURE,
            "the signature is too long"
        );
        ensure!(
            addition.report.len() <= MAX_REPORT,
            "the report is too long"
        );
        let name = addition.name.clone();
        let event = Event::Added(addition);
        // The same component with another signature is another version: it was signed meanwhile, say.
        let same = |there: &Addition, event: &Event| match event {
            Event::Added(added) => {
                there.component == added.component && there.signature == added.signature
            }
            Event::Removed(_) => false,
        };
        let appended = self.append(&event, who, |names| {
            let newest = names.get(&name).and_then(NamedTransform::newest);
            Ok(newest.is_none_or(|version| !same(&version.addition, &event)))
        });
        let is_new = appended.await?;
        let newest = TransformRef {
            name: name.clone(),
            version: None,
        };
        let version = self.find(&newest).await?;
        Ok(if is_new {
            Added::New(version)
        } else {
            Added::Already(version)
        })
    }

    /// Takes the name away. The components stay in the store as long as anything names them: models
    /// that were trained with one go on.
    pub async fn remove(&self, name: &str, who: &str) -> anyhow::Result<()> {
        self.named(name).await?;
        let event = Event::Removed(Removal {
            name: name.to_owned(),
        });
        let is_there = |names: &Names| Ok(names.get(name).is_some_and(|n| n.removed.is_none()));
        self.append(&event, who, is_there).await.map(drop)
    }

    async fn read(&self) -> anyhow::Result<(Vec<Entry>, Head)> {
        chain().read(&*self.records, Head::default()).await
    }

    /// Appends the event if it still `changes` something; false where it does not.
    async fn append(
        &self,
        event: &Event,
        who: &str,
        changes: impl Fn(&Names) -> anyhow::Result<bool> + Send,
    ) -> anyhow::Result<bool> {
        for _ in 0..PATIENCE {
            let (log, head) = self.read().await?;
            if !changes(&Names::fold(&log))? {
                return Ok(false);
            }
            let entry = (self.clock.timestamp(), who, event.clone());
            let appended = chain().append(&*self.records, head, entry).await?;
            if appended.is_some() {
                return Ok(true);
            }
        }
        bail!("the names of transforms are changed by others all the time: try again later")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{SystemClock, memory};

    fn transforms() -> Transforms {
        let store = memory();
        Transforms::new(store.records, Arc::new(SystemClock))
    }

    fn addition(name: &str, content: &str) -> Addition {
        Addition {
            name: name.to_owned(),
            component: Digest::of(content.as_bytes()),
            size: content.len() as u64,
            signature: None,
            key: None,
            report: "{}".to_owned(),
        }
    }

    async fn found(transforms: &Transforms, asked: &str) -> Result<(u32, Digest), String> {
        let asked = asked.parse::<TransformRef>().unwrap();
        let version = transforms.find(&asked).await.map_err(|e| e.to_string())?;
        Ok((version.number, version.addition.component))
    }

    #[tokio::test]
    async fn a_name_stands_for_its_newest_version_and_keeps_the_others() {
        let transforms = transforms();
        for content in ["a", "a", "b"] {
            let added = transforms.add(addition("ratio", content), "me").await;
            added.unwrap();
        }
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_eq!(found(&transforms, "ratio").await, Ok((2, b)));
        assert_eq!(found(&transforms, "ratio@1").await, Ok((1, a)));
        let signed = Addition {
            signature: Some("by me".to_owned()),
            ..addition("signed", "a")
        };
        transforms.add(addition("signed", "a"), "me").await.unwrap();
        let added = transforms.add(signed, "me").await.unwrap();
        assert!(matches!(added, Added::New(version) if version.number == 2));
        let error = found(&transforms, "ratio@3").await.unwrap_err();
        assert!(error.contains("1 to 2"), "{error}");
        let names = transforms.names_of(&[a, Digest::of(b"c")]).await.unwrap();
        assert_eq!(names[0].len(), 3);
        assert_eq!(names[0][0].to_string(), "ratio@1");
        assert!(names[1].is_empty());
    }

    #[tokio::test]
    async fn a_removed_name_is_told_and_goes_on_counting() {
        let transforms = transforms();
        let error = found(&transforms, "ratio").await.unwrap_err();
        assert!(error.contains("transform add"), "{error}");
        transforms.add(addition("ratio", "a"), "me").await.unwrap();
        let error = found(&transforms, "ratoi").await.unwrap_err();
        assert!(error.contains("is it 'ratio'?"), "{error}");
        transforms.remove("ratio", "me").await.unwrap();
        assert!(transforms.list().await.unwrap().is_empty());
        let error = found(&transforms, "ratio@1").await.unwrap_err();
        assert!(error.contains("was removed"), "{error}");
        transforms.remove("ratio", "me").await.unwrap_err();
        // The same component again is another version: its history is not that of before.
        let added = transforms.add(addition("ratio", "a"), "you").await.unwrap();
        assert!(matches!(added, Added::New(version) if version.number == 2));
        assert_eq!(transforms.log().await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn two_who_add_at_once_are_both_in_the_log() {
        let transforms = transforms();
        let both = tokio::join!(
            transforms.add(addition("one", "a"), "me"),
            transforms.add(addition("two", "b"), "you"),
        );
        both.0.unwrap();
        both.1.unwrap();
        assert_eq!(transforms.list().await.unwrap().len(), 2);
    }
}
