//! Requests to one registry. Everything that comes back is bounded before it is kept: a registry is
//! somebody else's machine, and so is what stands between.
//!
//! The crates that speak this protocol keep a manifest or a token of any size in memory, follow
//! redirects to anywhere and can't be told otherwise; so the requests are ours.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE},
    redirect::Policy,
};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::{
    challenge::{Challenge, may_be_told},
    reference::Reference,
    trouble,
};
use crate::secret::Secret;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a registry may be silent.
const SILENCE: Duration = Duration::from_mins(1);

/// How often a registry may send us on: usually once, to where its bytes are.
const MAX_REDIRECTS: usize = 3;

/// The largest answer with a token that is read.
const MAX_TOKEN: u64 = 64 << 10;

/// Who we are to a registry.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password, or a token that a registry takes for one.
    pub password: Secret,
}

impl Credentials {
    fn basic(&self) -> anyhow::Result<HeaderValue> {
        let both = Zeroizing::new(format!("{}:{}", self.user, self.password.text()));
        let encoded = Zeroizing::new(STANDARD.encode(both.as_bytes()));
        sensitive("Basic", &encoded)
    }
}

/// A header that no log shows.
fn sensitive(scheme: &str, secret: &str) -> anyhow::Result<HeaderValue> {
    let value = Zeroizing::new(format!("{scheme} {secret}"));
    let value = HeaderValue::from_str(&value);
    let mut value = value.map_err(|_| anyhow::anyhow!("what the registry gave is no token"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What is sent.
#[derive(Clone, Default)]
pub(super) struct Sent {
    pub(super) headers: Vec<(HeaderName, &'static str)>,
    pub(super) body: Option<Bytes>,
}

/// One repository of one registry.
pub(super) struct Remote {
    client: Client,
    base: Url,
    repository: String,
    /// What we want to do, in the words of tokens.
    action: &'static str,
    credentials: Option<Credentials>,
    /// What the registry let us in with.
    ticket: Option<HeaderValue>,
}

impl Remote {
    /// Nothing is asked yet.
    pub(super) fn new(
        reference: &Reference,
        plain: bool,
        action: &'static str,
        credentials: Option<Credentials>,
    ) -> anyhow::Result<Self> {
        crate::tls::provide();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .https_only(!plain)
            // A redirect is looked at before it is followed.
            .redirect(Policy::none())
            .user_agent(concat!("septet/", env!("CARGO_PKG_VERSION")));
        if reference.is_loopback() {
            // A proxy outside can't reach this machine's own, and would read the password.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|_| {
            anyhow::anyhow!(
                "TLS can't be set up: install the system's trusted certificates (ca-certificates), \
                 or name a file of them with SSL_CERT_FILE"
            )
        })?;
        Ok(Self {
            client,
            base: reference.base(plain)?,
            repository: reference.repository().to_owned(),
            action,
            credentials,
            ticket: None,
        })
    }

    /// An address in the repository.
    pub(super) fn address(&self, rest: &str) -> anyhow::Result<Url> {
        let path = format!("v2/{}/{rest}", self.repository);
        self.base.join(&path).context("this is no address")
    }

    /// The host, for errors.
    pub(super) fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port().map(|port| format!(":{port}"));
        format!("{host}{}", port.unwrap_or_default())
    }

    /// Asks, and where the registry wants to know who asks, says so and asks again.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        url: &Url,
        sent: &Sent,
    ) -> anyhow::Result<Response> {
        let response = self.once(method.clone(), url, sent).await?;
        if response.status() != StatusCode::UNAUTHORIZED || self.ticket.is_some() {
            return Ok(response);
        }
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let asked = Challenge::of(headers.filter_map(|value| value.to_str().ok()));
        self.ticket = match asked {
            Some(Challenge::Basic) => {
                let own = self.credentials.as_ref();
                own.map(Credentials::basic).transpose()?
            }
            Some(Challenge::Bearer { realm, service }) => {
                Some(self.token(realm, service.as_deref()).await?)
            }
            None => None,
        };
        if self.ticket.is_none() {
            return Ok(response);
        }
        self.once(method, url, sent).await
    }

    /// As `ask` with GET, and follows where the registry sends us for its bytes.
    pub(super) async fn fetch(&mut self, url: &Url, sent: &Sent) -> anyhow::Result<Response> {
        let mut response = self.ask(Method::GET, url, sent).await?;
        let mut url = url.clone();
        for _ in 0..MAX_REDIRECTS {
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = location(&response, &url)?;
            // The bytes are held against their digest, so they may come from anywhere; but what is
            // asked for may not be read on the way, nor may this machine's network be asked around.
            ensure!(
                may_be_told(&next, &self.base),
                "{} sends us to {} without TLS: that is not followed",
                self.host(),
                next.host_str().unwrap_or_default()
            );
            response = self.once(Method::GET, &next, sent).await?;
            url = next;
        }
        ensure!(
            !response.status().is_redirection(),
            "{} sends us on more than {MAX_REDIRECTS} times",
            self.host()
        );
        Ok(response)
    }

    /// The address that an answer names for what comes next, which must be at the registry itself:
    /// a component that is pushed goes nowhere else.
    pub(super) fn next(&self, response: &Response, url: &Url) -> anyhow::Result<Url> {
        let next = location(response, url)?;
        ensure!(
            next.origin() == self.base.origin(),
            "{} wants the upload at {}, which is not itself",
            self.host(),
            next.origin().ascii_serialization()
        );
        Ok(next)
    }

    async fn once(&self, method: Method, url: &Url, sent: &Sent) -> anyhow::Result<Response> {
        let mut request = self.client.request(method, url.clone());
        for (name, value) in &sent.headers {
            request = request.header(name, *value);
        }
        // Never to another: who gets a password or token can do as we.
        if let Some(ticket) = self.ticket.as_ref()
            && url.origin() == self.base.origin()
        {
            request = request.header(AUTHORIZATION, ticket.clone());
        }
        if let Some(body) = &sent.body {
            request = request.body(body.clone());
        }
        let sent = request.send().await;
        sent.map_err(|error| trouble::broken(error, url))
    }

    /// A token from where the registry says, for this repository alone.
    async fn token(&self, mut realm: Url, service: Option<&str>) -> anyhow::Result<HeaderValue> {
        ensure!(
            may_be_told(&realm, &self.base),
            "{} wants a login at {} without TLS: nothing was sent there",
            self.host(),
            realm.host_str().unwrap_or_default()
        );
        {
            let mut query = realm.query_pairs_mut();
            let scope = format!("repository:{}:{}", self.repository, self.action);
            query.append_pair("scope", &scope);
            if let Some(service) = service {
                query.append_pair("service", service);
            }
        }
        let mut request = self.client.get(realm.clone());
        if let Some(own) = &self.credentials {
            request = request.header(AUTHORIZATION, own.basic()?);
        }
        let answer = request.send().await;
        let answer = answer.map_err(|error| trouble::broken(error, &realm))?;
        if answer.status() != StatusCode::OK {
            bail!(trouble::refused(answer, &self.host(), "a token").await);
        }
        let bytes = Zeroizing::new(read(answer, MAX_TOKEN, "the token").await?);
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let token = value.get("token").or_else(|| value.get("access_token"));
        let token = token.and_then(Value::as_str);
        let token = token
            .with_context(|| format!("{} gave no token", realm.host_str().unwrap_or_default()))?;
        sensitive("Bearer", token)
    }
}

/// Where an answer sends us.
fn location(response: &Response, from: &Url) -> anyhow::Result<Url> {
    let header: Option<&HeaderValue> = HeaderMap::get(response.headers(), LOCATION);
    let text = header.and_then(|value| value.to_str().ok());
    let next = text.and_then(|text| from.join(text).ok());
    next.with_context(|| {
        let host = from.host_str().unwrap_or_default();
        format!("{host} does not say where to go on (it gave no location)")
    })
}

/// The bytes of an answer, of which there are at most `most`; `what` they are is for errors.
pub(super) async fn read(mut answer: Response, most: u64, what: &str) -> anyhow::Result<Vec<u8>> {
    let url = answer.url().clone();
    let host = url.host_str().unwrap_or_default();
    let too_many = || format!("{what} from {host} has more than {most} bytes");
    // What is announced is only believed where it is too much already.
    if answer.content_length().is_some_and(|length| length > most) {
        bail!(too_many());
    }
    let mut bytes = Vec::new();
    while let Some(piece) = answer
        .chunk()
        .await
        .map_err(|error| trouble::broken(error, &url))
        .with_context(|| format!("{what} was cut short"))?
    {
        if (bytes.len() + piece.len()) as u64 > most {
            bail!(too_many());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
