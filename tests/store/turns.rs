//! Threads whose operations take turns as a seed has it, so that every interleaving can be had again.

use std::{
    sync::{Arc, Condvar, Mutex},
    thread,
};

use septet_spin_store::{KeyValue, Swap, Watched};

use super::double::Double;

#[derive(Default)]
struct Order {
    random: u64,
    live: usize,
    waiting: Vec<usize>,
    chosen: Option<usize>,
}

#[derive(Default)]
struct Turns {
    order: Mutex<Order>,
    changed: Condvar,
}

impl Order {
    /// Lets one go on once all wait.
    fn choose(&mut self) {
        if self.chosen.is_none() && !self.waiting.is_empty() && self.waiting.len() == self.live {
            // xorshift: nothing but variety is asked of it.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let at = (self.random % self.waiting.len() as u64) as usize;
            self.chosen = Some(self.waiting[at]);
        }
    }
}

impl Turns {
    fn take(&self, me: usize) {
        let mut order = self.order.lock().unwrap();
        order.waiting.push(me);
        order.waiting.sort_unstable();
        order.choose();
        self.changed.notify_all();
        let mut order = self
            .changed
            .wait_while(order, |order| order.chosen != Some(me))
            .unwrap();
        order.chosen = None;
        order.waiting.retain(|waiting| *waiting != me);
    }
}

/// One that is counted out however its thread ends.
struct Player {
    turns: Arc<Turns>,
    me: usize,
}

impl Drop for Player {
    fn drop(&mut self) {
        let mut order = self.turns.order.lock().unwrap();
        order.live -= 1;
        order.choose();
        self.turns.changed.notify_all();
    }
}

/// A store that waits for its thread's turn before each operation.
pub struct Turned {
    double: Double,
    player: Player,
}

/// Runs `count` threads on one store, one operation at a time, in an order that `seed` has.
pub fn together<T: Send>(
    double: &Double,
    (seed, count): (u64, usize),
    act: impl Fn(usize, Arc<dyn KeyValue>) -> T + Sync,
) -> Vec<T> {
    let turns = Arc::new(Turns::default());
    {
        let mut order = turns.order.lock().unwrap();
        order.random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        order.live = count;
    }
    let act = &act;
    thread::scope(|scope| {
        let players: Vec<_> = (0..count)
            .map(|me| {
                let player = Player {
                    turns: Arc::clone(&turns),
                    me,
                };
                let double = double.clone();
                scope.spawn(move || act(me, Arc::new(Turned { double, player })))
            })
            .collect();
        players
            .into_iter()
            .map(|player| player.join().unwrap())
            .collect()
    })
}

impl Turned {
    fn take(&self) -> &Double {
        self.player.turns.take(self.player.me);
        &self.double
    }
}

impl KeyValue for Turned {
    fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        self.take().get(key)
    }

    fn set(&self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        self.take().set(key, value)
    }

    fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.take().delete(key)
    }

    fn keys(&self) -> anyhow::Result<Vec<String>> {
        self.take().keys()
    }

    fn increment(&self, key: &str, by: i64) -> anyhow::Result<i64> {
        self.take().increment(key, by)
    }

    fn watch(&self, key: &str) -> anyhow::Result<Watched<'_>> {
        let watched = self.take().watch(key)?;
        let swap = TurnedSwap(self, watched.swap);
        Ok(Watched {
            current: watched.current,
            swap: Box::new(swap),
        })
    }
}

struct TurnedSwap<'a>(&'a Turned, Box<dyn Swap + 'a>);

impl Swap for TurnedSwap<'_> {
    fn swap(self: Box<Self>, value: &[u8]) -> anyhow::Result<bool> {
        self.0.take();
        self.1.swap(value)
    }
}
