//! A bounded collection of things that are made once and shared.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

/// Keeps at most so many values; the longest unused goes first. What is being made takes no place.
pub(crate) struct Shelf<K, V> {
    places: Mutex<Places<K, V>>,
    most: usize,
}

struct Places<K, V> {
    cells: BTreeMap<K, (Arc<OnceCell<V>>, u64)>,
    clock: u64,
}

impl<K: Ord + Clone, V: Clone> Shelf<K, V> {
    pub(crate) const fn new(most: usize) -> Self {
        let places = Places {
            cells: BTreeMap::new(),
            clock: 0,
        };
        Self {
            places: Mutex::new(places),
            most,
        }
    }

    /// The value of `key`. Who asks first makes it, and who asks meanwhile waits for it; a failure
    /// is not kept.
    pub(crate) async fn get<E>(
        &self,
        key: &K,
        make: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let asked = Asked {
            shelf: self,
            key,
            cell: self.place(key),
        };
        let value = asked.cell.get_or_try_init(|| make).await?.clone();
        self.keep(key, &asked.cell);
        Ok(value)
    }

    fn place(&self, key: &K) -> Arc<OnceCell<V>> {
        let mut places = self.lock();
        places.clock += 1;
        let now = places.clock;
        if let Some((cell, used)) = places.cells.get_mut(key) {
            *used = now;
            return Arc::clone(cell);
        }
        let cell = Arc::new(OnceCell::new());
        places.cells.insert(key.clone(), (Arc::clone(&cell), now));
        cell
    }

    /// Gives the value in `cell` its place, now that it is made.
    fn keep(&self, key: &K, cell: &Arc<OnceCell<V>>) {
        let mut places = self.lock();
        places.clock += 1;
        let now = places.clock;
        // Its place is gone where somebody who asked before has failed.
        let place = places.cells.entry(key.clone());
        place.or_insert_with(|| (Arc::clone(cell), now)).1 = now;
        loop {
            let made = || places.cells.iter().filter(|(_, (c, _))| c.initialized());
            if made().count() <= self.most.max(1) {
                break;
            }
            let oldest = made().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            places.cells.remove(&oldest);
        }
    }
}

impl<K, V> Shelf<K, V> {
    fn lock(&self) -> MutexGuard<'_, Places<K, V>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One asking for a value. When it ends without one, whether it failed or nobody waits for it any
/// more, nothing is left of it on the shelf.
struct Asked<'a, K: Ord, V> {
    shelf: &'a Shelf<K, V>,
    key: &'a K,
    cell: Arc<OnceCell<V>>,
}

impl<K: Ord, V> Drop for Asked<'_, K, V> {
    fn drop(&mut self) {
        if self.cell.initialized() {
            return;
        }
        let mut places = self.shelf.lock();
        let place = places.cells.get(self.key);
        if place.is_some_and(|(cell, _)| Arc::ptr_eq(cell, &self.cell)) {
            places.cells.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn wait<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn values_are_made_once_and_the_longest_unused_goes() {
        let shelf = Shelf::new(2);
        let made = AtomicU32::new(0);
        let get = |key: u32| {
            let value = async {
                made.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(key * 10)
            };
            wait(shelf.get(&key, value)).unwrap()
        };
        assert_eq!((get(1), get(2), get(1)), (10, 20, 10));
        assert_eq!(made.load(Ordering::Relaxed), 2);
        get(3);
        get(1);
        assert_eq!(made.load(Ordering::Relaxed), 3);
        get(2);
        assert_eq!(made.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn a_failure_is_not_kept() {
        let shelf = Shelf::new(1);
        assert!(wait(shelf.get(&1, async { Err::<u32, _>("no") })).is_err());
        assert_eq!(wait(shelf.get(&1, async { Ok::<_, ()>(7) })), Ok(7));
    }

    #[test]
    fn a_failure_evicts_nothing() {
        let shelf = Shelf::new(1);
        assert_eq!(wait(shelf.get(&1, async { Ok::<_, ()>(7) })), Ok(7));
        assert!(wait(shelf.get(&2, async { Err::<u32, _>("no") })).is_err());
        assert_eq!(wait(shelf.get(&1, async { Err::<u32, _>("no") })), Ok(7));
        assert_eq!(shelf.lock().cells.len(), 1);
    }
}
