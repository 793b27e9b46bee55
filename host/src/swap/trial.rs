//! A component does calls whose answers are known, and nobody sees what it writes or says.

use std::{sync::Arc, time::Duration};

use super::{compare::compare, overlay::Overlay, report::Tried, step::Why};
use crate::{
    contract::{Call, Digest, Origin},
    pipeline::Golden,
    stage::{Control, StageExecutor},
    store::Blobs,
};

/// How long a call may take at least, and how much longer than it did before.
const LEAST: Duration = Duration::from_mins(1);
const TIMES: f64 = 10.0;

/// Does the call again with `component`, over the blobs that it was done on. Messages and proposals are
/// dropped, and outputs are in memory.
pub(super) async fn again(
    stages: &StageExecutor,
    component: Digest,
    golden: &Golden,
    blobs: &Arc<dyn Blobs>,
) -> Result<Tried, Why> {
    let blobs = Overlay::over(blobs);
    let stages = stages.over(Arc::clone(&blobs));
    let call = Call {
        component,
        origin: Origin {
            run: "swap".to_owned(),
            ..golden.call.origin
        },
        ..golden.call.clone()
    };
    let within = LEAST.max(Duration::from_secs_f64(golden.seconds * TIMES));
    let control = Control::new();
    let executing = stages.execute(call, &control);
    // Who is too slow is stopped: the future is dropped.
    let Ok(executed) = tokio::time::timeout(within, executing).await else {
        let (seconds, before) = (within.as_secs(), golden.seconds);
        return Err(Why::Component(format!(
            "{}: it took more than {seconds} s, and it was {before:.1} s before",
            golden.name
        )));
    };
    let executed = executed.map_err(|error| Why::Host(error.context(golden.name.clone())))?;
    let tried = Tried {
        call: golden.name.clone(),
        seconds: executed.seconds,
        seconds_before: Some(golden.seconds),
        peak_memory_bytes: Some(executed.peak_memory_bytes),
        ..Tried::default()
    };
    let named = |why: String| Why::Component(format!("{}: {why}", golden.name));
    let now = golden.judge(executed).map_err(named)?;
    let different = compare(&golden.outcome, &now, blobs.as_ref()).await;
    let different = different.map_err(|why| match why {
        Why::Component(why) => named(why),
        host @ Why::Host(_) => host,
    })?;
    Ok(tried.with(&different))
}
