//! Components plugged together by wac, as one does for a host that knows only WASI.

use anyhow::Context as _;
use wac_graph::{CompositionGraph, EncodeOptions, plug, types::Package};

/// `socket` with its imports taken from the exports of `plugs`, where they fit.
pub(crate) fn plugged(socket: &[u8], plugs: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut register = |name: String, bytes: &[u8]| {
        let package = Package::from_bytes(&name, None, bytes.to_vec(), graph.types_mut())?;
        graph.register_package(package).context(name)
    };
    let socket = register("septet:socket".to_owned(), socket)?;
    let plugs = plugs
        .iter()
        .enumerate()
        .map(|(number, bytes)| register(format!("septet:plug{number}"), bytes))
        .collect::<Result<_, _>>()?;
    plug(&mut graph, plugs, socket)?;
    Ok(graph.encode(EncodeOptions::default())?)
}
