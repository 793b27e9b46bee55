//! The stages' gateways: other components of the same application, asked over HTTP within Spin.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use septet_core::contract::{Digest, Stage};
use septet_spin_kit::{identity::Identity, key, reply::Refusal};
use serde_json::Value;
use spin_sdk::http::{Method, Request, Response, send};

/// How the gateways are reached.
pub(crate) struct Stages {
    key: Option<String>,
}

impl Stages {
    pub(crate) fn new() -> Result<Self, Refusal> {
        Ok(Self { key: key::key()? })
    }

    /// The components of all stages, as their applications have them now, each with the infer
    /// component that it predicts with.
    pub(crate) async fn components(&self) -> anyhow::Result<BTreeMap<Stage, Digest>> {
        let mut components = BTreeMap::new();
        for stage in Stage::ALL {
            let told = self.ask(stage, Method::Get, "").await?;
            let told = String::from_utf8(told).context("its answer is no text")?;
            let identity = Identity::read(&told);
            let identity = identity.with_context(|| format!("the component '{stage}'"))?;
            anyhow::ensure!(
                identity.stage == stage,
                "the component '{stage}' of spin.toml holds {}",
                identity.stage
            );
            components.insert(stage, identity.component);
        }
        Ok(components)
    }

    /// Has a stage take what is in its queue, and gives how many messages it has handled.
    pub(crate) async fn work(&self, stage: Stage) -> anyhow::Result<u64> {
        let told = self.ask(stage, Method::Post, "/work").await?;
        let told: Value = serde_json::from_slice(&told)
            .with_context(|| format!("the component '{stage}' answers what is no JSON"))?;
        Ok(told.get("handled").and_then(Value::as_u64).unwrap_or(0))
    }

    async fn ask(&self, stage: Stage, method: Method, path: &str) -> anyhow::Result<Vec<u8>> {
        let uri = format!("http://{stage}.spin.internal/{stage}{path}");
        let mut request = Request::builder();
        request.method(method).uri(uri);
        if let Some(key) = &self.key {
            request.header("authorization", format!("Bearer {key}"));
        }
        let answer: Result<Response, _> = send(request.build()).await;
        let answer = answer.map_err(|error| {
            anyhow!(
                "the component '{stage}' can't be asked ({error}): is it in spin.toml, and \
                 http://{stage}.spin.internal among the allowed_outbound_hosts of 'front'?"
            )
        })?;
        let status = *answer.status();
        let body = answer.into_body();
        anyhow::ensure!(
            status == 200,
            "the component '{stage}' answers {status}: {}",
            septet_core::text::clean(&String::from_utf8_lossy(&body), 600)
        );
        Ok(body)
    }
}
