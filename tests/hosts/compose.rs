//! Components plugged together by wac, as one does for a host that knows only WASI.
//!
//! The example `spin-app` shares it with the tests.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use wac_graph::{CompositionGraph, EncodeOptions, plug, types::Package};

use super::guests;

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

/// A stage as Spin runs it: the gateway, the stage and what both import, in one component.
pub(crate) fn spin_app(stage: &[u8], workspace: &Path, target: &Path) -> anyhow::Result<Vec<u8>> {
    let packages = ["septet-spin-gateway", "septet-spin-capabilities"];
    let built = guests::build(workspace, &target.join("components"), &packages);
    let built: [Vec<u8>; 2] = built
        .map_err(|error| anyhow!(error))?
        .try_into()
        .map_err(|_| anyhow!("two packages gave another number of components"))?;
    let [gateway, capabilities] = &built;
    let stage = plugged(stage, &[capabilities])?;
    plugged(gateway, &[&stage, capabilities])
}
