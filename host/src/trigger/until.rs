//! Work that goes on until somebody says stop.

use std::{future::Future, pin::pin, task::Poll};

/// Does `work` until it is done or `stop` is, which is looked at first. Where work is dropped half
/// way it must be such that it can be done again: whatever a trigger does is.
pub(super) async fn until(stop: impl Future<Output = ()>, work: impl Future<Output = ()>) {
    let (mut stop, mut work) = (pin!(stop), pin!(work));
    std::future::poll_fn(|context| {
        if stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        work.as_mut().poll(context)
    })
    .await;
}
