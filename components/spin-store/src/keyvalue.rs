//! What is asked of a key-value store: what `wasi:keyvalue` has on Spin, and no more.

/// A key-value store. Whoever has bindings to a real one implements this by calling them.
///
/// It promises little, since Spin's four kinds of store differ (docs/portability.md says how):
/// [`Swap::swap`] is a real compare-and-swap only where there was a value, and only its `true` can
/// be believed.
pub trait KeyValue: Send + Sync {
    /// The value, if there is one.
    fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>>;

    /// Writes the value, in the place of one that is there.
    fn set(&self, key: &str, value: &[u8]) -> anyhow::Result<()>;

    /// Takes the value away. It is no error if there is none.
    fn delete(&self, key: &str) -> anyhow::Result<()>;

    /// All keys, in any order. There is no other way to look for one.
    fn keys(&self) -> anyhow::Result<Vec<String>>;

    /// Adds `by` to a number, which is 0 where there is none. On SQLite it must never meet a value
    /// that is not of eight bytes: Spin panics then, and its store is lost to all until it restarts.
    fn increment(&self, key: &str, by: i64) -> anyhow::Result<i64>;

    /// Reads a value that is to be replaced (`cas.new`, then `cas.current`).
    fn watch(&self, key: &str) -> anyhow::Result<Watched<'_>>;
}

/// A value that was read to be replaced.
pub struct Watched<'a> {
    /// The value, if there is one.
    pub current: Option<Vec<u8>>,
    /// Replaces it.
    pub swap: Box<dyn Swap + 'a>,
}

/// The other half of a compare-and-swap.
pub trait Swap: Send {
    /// Writes `value` if nobody has written meanwhile. `false` (`cas-failed`) may be untrue: on
    /// Redis it is the only answer, and elsewhere it also stands for an answer that was lost.
    fn swap(self: Box<Self>, value: &[u8]) -> anyhow::Result<bool>;
}
