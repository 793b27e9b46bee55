//! Opens a store in a storage account, and gives out clients for its containers and queues.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use azure_core::{
    credentials::TokenCredential,
    http::{
        ClientOptions, Context, ExponentialRetryOptions, Request, RetryOptions, Transport, Url,
        policies::{Policy, PolicyResult},
    },
};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use azure_storage_queue::{QueueClient, QueueClientOptions};
use futures_util::future::try_join_all;

use super::{
    Access, Connection, blobs::AzureBlobs, container::Container, queues::AzureQueues,
    records::AzureRecords, signature::Signer, time::ServiceTime, trouble::Place,
};
use crate::store::{Clock, Mode, Store};

/// The containers of a store: who may use which is the account's matter.
pub(super) const CAS: &str = "cas";
/// Records, but for those of the registry.
pub(super) const LEDGER: &str = "ledger";
/// Records of the registry.
pub(super) const REGISTRY: &str = "registry";
/// Cards of messages.
pub(super) const MESSAGES: &str = "messages";

/// How long it may take to be connected.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an answer may pause.
const READ: Duration = Duration::from_secs(30);

/// How long one try may take, with what is sent and answered: as much as a piece of a blob takes on
/// a slow line.
const TRY: Duration = Duration::from_mins(2);

/// A request that fails in passing is tried again so often, and for so long.
const RETRIES: u32 = 5;
const RETRYING: Duration = Duration::from_secs(20);

/// A store in a storage account.
pub struct Azure {
    pub(super) account: Arc<Account>,
    pub(super) store: Store,
}

impl Azure {
    /// Opens the store; with [`Mode::Create`], makes the containers that are missing, where that is
    /// allowed.
    pub async fn open(
        connection: Connection,
        mode: Mode,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let account = Arc::new(Account::new(connection, clock)?);
        account.prepare(mode).await?;
        let store = Store {
            blobs: Arc::new(AzureBlobs::new(&account)?),
            records: Arc::new(AzureRecords::new(&account)?),
            queues: Arc::new(AzureQueues::new(&account)?),
        };
        Ok(Self { account, store })
    }

    /// The store's three parts.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Where it is, for a user.
    pub fn shown(&self) -> String {
        Account::host(&self.account.connection.blob)
    }
}

/// The way to an account's services.
pub(super) struct Account {
    connection: Connection,
    time: ServiceTime,
    credential: Option<Arc<dyn TokenCredential>>,
    options: ClientOptions,
}

impl Account {
    fn new(connection: Connection, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let time = ServiceTime::new(clock);
        let mut policies: Vec<Arc<dyn Policy>> = vec![Arc::new(time.clone())];
        let mut credential = None;
        match &connection.access {
            Access::SharedKey { account, key } => {
                policies.push(Arc::new(Signer::new(account.clone(), key.clone())));
            }
            Access::Sas(_) => {}
            Access::Token(identity) => {
                credential = Some(super::credential(identity, &connection.name)?);
            }
        }
        let retry = ExponentialRetryOptions {
            initial_delay: azure_core::time::Duration::milliseconds(200),
            max_retries: RETRIES,
            max_total_elapsed: azure_core::time::Duration::try_from(RETRYING)?,
            max_delay: azure_core::time::Duration::seconds(5),
        };
        let options = ClientOptions {
            per_try_policies: policies,
            retry: RetryOptions::exponential(retry),
            transport: Some(Transport::new(Arc::new(client()?))),
            ..ClientOptions::default()
        };
        Ok(Self {
            connection,
            time,
            credential,
            options,
        })
    }

    /// The address of the blob service.
    pub(super) const fn blobs(&self) -> &Url {
        &self.connection.blob
    }

    /// The service's time: milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.time.now()
    }

    /// The container `name`.
    pub(super) fn container(&self, name: &str) -> anyhow::Result<Container> {
        let options = BlobContainerClientOptions {
            client_options: self.options.clone(),
            ..BlobContainerClientOptions::default()
        };
        let base = &self.connection.blob;
        let client = BlobContainerClient::new(
            self.address(base, name)?,
            self.credential.clone(),
            Some(options),
        );
        let place = self.place(base, format!("container {name}"));
        let client = client.map_err(|error| place.explain(&error))?;
        Ok(Container::new(client, place))
    }

    /// The queue that the service knows as `name`, and what it is called where it is told of.
    pub(super) fn queue(&self, name: &str) -> anyhow::Result<(QueueClient, Place)> {
        let options = QueueClientOptions {
            client_options: self.options.clone(),
            ..QueueClientOptions::default()
        };
        let base = &self.connection.queue;
        let client = QueueClient::new(
            self.address(base, name)?,
            self.credential.clone(),
            Some(options),
        );
        let place = self.place(base, format!("queue {name}"));
        let client = client.map_err(|error| place.explain(&error))?;
        Ok((client, place))
    }

    fn place(&self, base: &Url, what: String) -> Place {
        Place {
            connection: self.connection.name.clone(),
            host: Self::host(base),
            what,
        }
    }

    /// The host of a service; of one that has all accounts under one host, the account too.
    fn host(base: &Url) -> String {
        let path = base.path().trim_end_matches('/');
        let port = base.port().map(|port| format!(":{port}"));
        format!(
            "{}{}{path}",
            base.host_str().unwrap_or_default(),
            port.unwrap_or_default()
        )
    }

    /// The address of a container or a queue, with the signature where that is the way in.
    fn address(&self, base: &Url, name: &str) -> anyhow::Result<Url> {
        let mut url = base.clone();
        url.path_segments_mut()
            .ok()
            .with_context(|| {
                let name = &self.connection.name;
                format!("connection {name}: the address of a service can't be used")
            })?
            .pop_if_empty()
            .push(name);
        if let Access::Sas(query) = &self.connection.access {
            url.set_query(Some(query.trim_start_matches('?')));
        }
        Ok(url)
    }

    /// Finds the store, or makes it. The container of records is made last: where it is, all are.
    async fn prepare(&self, mode: Mode) -> anyhow::Result<()> {
        let ledger = self.container(LEDGER)?;
        if ledger.exists().await? {
            return Ok(());
        }
        if mode == Mode::Existing {
            anyhow::bail!(
                "there is no store in {} (connection {}): it has no container {LEDGER}; \
                 `septet init` or the first run makes it",
                Self::host(&self.connection.blob),
                self.connection.name
            );
        }
        let others = [CAS, REGISTRY, MESSAGES].map(|name| self.container(name));
        let others: Vec<Container> = others.into_iter().collect::<anyhow::Result<_>>()?;
        try_join_all(others.iter().map(Container::make)).await?;
        ledger.make().await
    }
}

/// The client below all others: bounded in time, and trusting what this machine trusts.
fn client() -> anyhow::Result<reqwest::Client> {
    crate::tls::provide();
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .timeout(TRY)
        // A service of ours sends nobody elsewhere, and a request has what lets one in.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("there can be no client for HTTPS on this machine")
}

/// Hands a request to the next policy.
pub(super) async fn pass_on(
    ctx: &Context<'_>,
    request: &mut Request,
    next: &[Arc<dyn Policy>],
) -> PolicyResult {
    match next.split_first() {
        Some((first, rest)) => first.send(ctx, request, rest).await,
        None => Err(azure_core::Error::with_message(
            azure_core::error::ErrorKind::Other,
            "there is no transport",
        )),
    }
}
