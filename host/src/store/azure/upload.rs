//! A content on its way to the service: whole where it is small, else in blocks. Nothing is seen of
//! it before it is all there.

use anyhow::bail;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    container::{Container, Metadata, Written},
    content::Content,
};
use crate::contract::Digest;

/// Up to this many bytes it goes whole.
const WHOLE: u64 = 8 << 20;

/// Bytes of a block.
const BLOCK: u32 = 8 << 20;

/// Most blocks that the service makes a blob of.
const MOST_BLOCKS: u64 = 50_000;

/// Blocks that are under way at a time.
const AT_ONCE: usize = 4;

/// How often a blob may be deleted between finding it and marking it.
const ROUNDS: usize = 8;

/// Up to this many bytes it is sent before it is known whether it is there: to ask costs as much.
const SMALL: u64 = 1 << 20;

/// Marks a blob as used now; false where there is none. To set its metadata makes it a new version
/// with a new date, whatever is in them.
pub(super) async fn touch(container: &Container, digest: &Digest) -> anyhow::Result<bool> {
    let (name, none) = (digest.to_string(), Metadata::new());
    let written = container.set(&name, &none, None).await?;
    Ok(matches!(written, Written::Done(_)))
}

/// Puts a content where its digest says, or marks what is there as used.
pub(super) async fn upload(
    container: &Container,
    digest: &Digest,
    content: &Content,
) -> anyhow::Result<()> {
    if content.size() > SMALL && touch(container, digest).await? {
        return Ok(());
    }
    let name = digest.to_string();
    for _ in 0..ROUNDS {
        let written = if content.size() <= WHOLE {
            let bytes = content.read(0, u32::try_from(WHOLE)?)?;
            container.create(&name, bytes.into(), None).await?
        } else {
            blocks(container, &name, content).await?
        };
        if matches!(written, Written::Done(_)) || touch(container, digest).await? {
            return Ok(());
        }
    }
    bail!("the blob {digest} is written and deleted by others again and again")
}

/// The same content has the same blocks, so two who write it at a time do not harm each other.
async fn blocks(container: &Container, name: &str, content: &Content) -> anyhow::Result<Written> {
    let count = content.size().div_ceil(u64::from(BLOCK));
    if count > MOST_BLOCKS {
        bail!(
            "a blob of {} bytes is larger than this store takes",
            content.size()
        );
    }
    let id = |number: u64| format!("{number:08}").into_bytes();
    let staged = (0..count).map(|number| async move {
        let bytes = content.read(number * u64::from(BLOCK), BLOCK)?;
        container.stage(name, &id(number), bytes).await
    });
    let staged = stream::iter(staged).buffer_unordered(AT_ONCE);
    staged.try_for_each(async |()| Ok(())).await?;
    container.commit(name, (0..count).map(id).collect()).await
}
