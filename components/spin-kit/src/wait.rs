//! The core's futures, to their end. A component has one thread and Spin's calls block it: what the
//! core does at the same time elsewhere it does here one after the other.

use anyhow::Context as _;

/// Runs `future` to its end.
pub fn wait<T, E: From<anyhow::Error>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .context("no runtime can be started")?;
    runtime.block_on(future)
}
