//! Push and pull: the order of requests, and what is held against what.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use url::Url;

use super::{
    artifact::{Contents, MAX_MANIFEST, Packed},
    reference::Reference,
    remote::{Credentials, Remote, Sent, read},
    trouble,
};
use crate::{
    contract::Digest,
    stage::{Exceeded, Limits},
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What a registry may answer with. More than what is taken, so that what is no component can be
/// told by what it is; a registry that may not send it would say that there is nothing.
const ACCEPTED: [&str; 4] = [
    MANIFEST,
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// The header in which a registry says what it takes a manifest for.
const DIGEST: &str = "docker-content-digest";

/// On which terms a registry is spoken to.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who we are.
    pub credentials: Option<Credentials>,
    /// Without TLS also where the registry is not on this machine.
    pub plain_http: bool,
    /// How long all of it may take: what comes drop by drop ends too.
    pub patience: Duration,
}

impl Terms {
    fn remote(&self, reference: &Reference, action: &'static str) -> anyhow::Result<Remote> {
        let plain = self.plain_http || reference.is_loopback();
        Remote::new(reference, plain, action, self.credentials.clone())
    }

    async fn in_time<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let done = tokio::time::timeout(self.patience, work).await;
        done.unwrap_or_else(|_| {
            bail!(
                "it was not done within {}: raise --timeout if the way is slow",
                humantime::format_duration(self.patience)
            )
        })
    }
}

/// A component that was fetched, and is the one that its manifest names.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The manifest's digest: to ask for the very same another time.
    pub manifest: Digest,
    /// What it says.
    pub contents: Contents,
    /// The component.
    pub bytes: Vec<u8>,
}

/// Sends a component. The manifest is sent last, so that nobody finds one without its component.
pub async fn push(reference: &Reference, packed: &Packed, terms: &Terms) -> anyhow::Result<()> {
    ensure!(
        reference.digest().is_none(),
        "a digest is what a push gives, and not what it takes: leave @sha256:… out"
    );
    let mut remote = terms.remote(reference, "pull,push")?;
    let work = async {
        upload(&mut remote, &packed.component, "the component").await?;
        upload(&mut remote, &packed.config, "the configuration").await?;
        let digest = packed.digest();
        let name = match reference.tag() {
            Some(tag) => tag.to_owned(),
            None => format!("sha256:{digest}"),
        };
        let url = remote.address(&format!("manifests/{name}"))?;
        let sent = Sent {
            headers: vec![(CONTENT_TYPE, MANIFEST)],
            body: Some(Bytes::copy_from_slice(&packed.manifest)),
        };
        let answer = remote.ask(Method::PUT, &url, &sent).await?;
        if answer.status() != StatusCode::CREATED {
            bail!(trouble::refused(answer, &remote.host(), "a push of the manifest").await);
        }
        agrees(answer.headers().get(DIGEST), &digest, &remote.host())
    };
    terms
        .in_time(work)
        .await
        .with_context(|| reference.to_string())
}

/// Sends bytes, unless the registry has them.
async fn upload(remote: &mut Remote, bytes: &[u8], what: &str) -> anyhow::Result<()> {
    let digest = format!("sha256:{}", Digest::of(bytes));
    let there = remote.address(&format!("blobs/{digest}"))?;
    let answer = remote.ask(Method::HEAD, &there, &Sent::default()).await?;
    if answer.status() == StatusCode::OK {
        return Ok(());
    }
    let begin = remote.address("blobs/uploads/")?;
    let empty = Sent {
        headers: Vec::new(),
        body: Some(Bytes::new()),
    };
    let answer = remote.ask(Method::POST, &begin, &empty).await?;
    if answer.status() != StatusCode::ACCEPTED {
        bail!(trouble::refused(answer, &remote.host(), &format!("a push of {what}")).await);
    }
    let mut place: Url = remote.next(&answer, &begin)?;
    place.query_pairs_mut().append_pair("digest", &digest);
    let sent = Sent {
        headers: vec![(CONTENT_TYPE, "application/octet-stream")],
        body: Some(Bytes::copy_from_slice(bytes)),
    };
    let answer = remote.ask(Method::PUT, &place, &sent).await?;
    if answer.status() != StatusCode::CREATED {
        bail!(trouble::refused(answer, &remote.host(), &format!("a push of {what}")).await);
    }
    Ok(())
}

/// Fetches a component: its manifest, and then as many bytes as that says, if that many are allowed.
pub async fn pull(reference: &Reference, limits: &Limits, terms: &Terms) -> anyhow::Result<Pulled> {
    let mut remote = terms.remote(reference, "pull")?;
    let work = async {
        let (manifest, bytes) = manifest(&mut remote, reference).await?;
        let contents = Contents::of(&bytes).map_err(anyhow::Error::msg)?;
        Exceeded::check("component_bytes", limits.component_bytes, contents.size)?;
        let bytes = component(&mut remote, &contents).await?;
        Ok(Pulled {
            manifest,
            contents,
            bytes,
        })
    };
    terms
        .in_time(work)
        .await
        .with_context(|| reference.to_string())
}

/// The manifest and its digest, which is the one that was asked for, if one was.
async fn manifest(remote: &mut Remote, reference: &Reference) -> anyhow::Result<(Digest, Vec<u8>)> {
    let name = match (reference.tag(), reference.digest()) {
        // Both: what the tag is now must be what is demanded.
        (Some(tag), _) => tag.to_owned(),
        (None, Some(digest)) => format!("sha256:{digest}"),
        (None, None) => bail!("name a tag or a digest: nothing is taken for granted"),
    };
    let url = remote.address(&format!("manifests/{name}"))?;
    let sent = Sent {
        headers: ACCEPTED.map(|kind| (ACCEPT, kind)).to_vec(),
        body: None,
    };
    let answer = remote.fetch(&url, &sent).await?;
    if answer.status() != StatusCode::OK {
        bail!(trouble::refused(answer, &remote.host(), "this component").await);
    }
    let said = answer.headers().get(DIGEST).cloned();
    let bytes = read(answer, MAX_MANIFEST, "the manifest").await?;
    let digest = Digest::of(&bytes);
    if let Some(wanted) = reference.digest().filter(|wanted| **wanted != digest) {
        bail!(match reference.tag() {
            Some(tag) => format!("{tag} is sha256:{digest} now, and sha256:{wanted} was demanded"),
            None => format!(
                "{} sent a manifest with another digest, sha256:{digest}",
                remote.host()
            ),
        });
    }
    agrees(said.as_ref(), &digest, &remote.host())?;
    Ok((digest, bytes))
}

/// Whether the registry takes the manifest for what it is; it need not say.
fn agrees(
    said: Option<&reqwest::header::HeaderValue>,
    digest: &Digest,
    host: &str,
) -> anyhow::Result<()> {
    let said = said.and_then(|said| said.to_str().ok());
    let other =
        said.filter(|said| said.starts_with("sha256:") && **said != format!("sha256:{digest}"));
    if let Some(said) = other {
        let said = crate::capability::clean(said, 80);
        bail!("{host} calls the manifest {said}, and it is sha256:{digest}");
    }
    Ok(())
}

async fn component(remote: &mut Remote, contents: &Contents) -> anyhow::Result<Vec<u8>> {
    let Contents {
        component, size, ..
    } = contents;
    let url = remote.address(&format!("blobs/sha256:{component}"))?;
    let answer = remote.fetch(&url, &Sent::default()).await?;
    if answer.status() != StatusCode::OK {
        bail!(trouble::refused(answer, &remote.host(), "the component's bytes").await);
    }
    let bytes = read(answer, *size, "the component").await?;
    ensure!(
        bytes.len() as u64 == *size,
        "the component was cut short: its manifest says {size} bytes, and {} came",
        bytes.len()
    );
    let digest = Digest::of(&bytes);
    ensure!(
        digest == *component,
        "the component that came is sha256:{digest}, and its manifest names sha256:{component}"
    );
    Ok(bytes)
}
