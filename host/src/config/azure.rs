//! Connections of storage accounts in the environment, read as the Functions host reads them.
//!
//! A connection NAME is `NAME`, a connection string, or what begins with `NAME__`: an address and an
//! identity. `AzureWebJobs` before the name wins, and a section `ConnectionStrings` wins over both. The
//! case of a variable's name does not count, and `:` is as good as `__`. No error has any value.

use std::{env, ffi::OsString, ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use septet::{
    secret::{Reference, Secrets, azure::KeyVaults},
    store::{
        SystemClock,
        azure::{Connection, Identity, IdentityKind, address, service_address},
    },
};
use zeroize::Zeroizing;

/// What the settings of vaults begin with.
const VAULT: &str = "KeyVault";

/// How long a secret is believed, unless another time is set.
const REFRESH: Duration = Duration::from_mins(10);

/// What may be set.
const REFRESHES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

/// What the Functions host looks for first.
const PREFIX: &str = "AzureWebJobs";

/// Longest name of a connection.
const MAX_NAME: usize = 64;

/// Longest value that is read.
const MAX_VALUE: usize = 16 << 10;

/// Settings of an application's own secret, which are read nowhere here.
const SECRETS: [&str; 3] = ["clientSecret", "certificate", "clientCertificate"];

/// Other ways to name an identity. To leave one unread would be to use another identity.
const OTHERS: [&str; 2] = ["managedIdentityObjectId", "managedIdentityClientId"];

/// The variables of the process.
type Variables = Vec<(OsString, OsString)>;

/// The name of a connection, where a store is named by one: `azure:NAME`.
pub(crate) fn named(store: &std::path::Path) -> Option<&str> {
    store.to_str()?.strip_prefix("azure:")
}

/// The connection `name`.
pub(crate) fn connection(name: &str) -> anyhow::Result<Connection> {
    connection_in(&env::vars_os().collect(), name)
}

/// The vaults that settings may refer to. `KeyVault__credential`, `KeyVault__clientId` and so on name
/// the identity that asks them, as for a connection.
pub(crate) fn secrets() -> anyhow::Result<Secrets> {
    let variables = env::vars_os().collect();
    let refresh = refresh(&variables)?;
    let identity = identity_in(&variables, &Section::new(&variables, VAULT), VAULT)?;
    let vaults = Arc::new(KeyVaults::new(&identity, VAULT)?);
    Ok(Secrets::new(vaults, Arc::new(SystemClock), refresh))
}

/// How long a secret is believed before its vault is asked again.
pub(crate) fn refreshed() -> anyhow::Result<Duration> {
    refresh(&env::vars_os().collect())
}

fn refresh(variables: &Variables) -> anyhow::Result<Duration> {
    let Some((variable, text)) = Section::new(variables, VAULT).get("refresh")? else {
        return Ok(REFRESH);
    };
    let refresh = humantime::parse_duration(&text).ok();
    let fits = refresh.filter(|refresh| REFRESHES.contains(refresh));
    fits.with_context(|| format!("{variable} is no time between 1s and 24h, as 10m"))
}

fn connection_in(variables: &Variables, name: &str) -> anyhow::Result<Connection> {
    ensure!(
        (1..=MAX_NAME).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
        "a connection's name has 1 to {MAX_NAME} letters, digits, - and _, as azure:PipelineStorage"
    );
    let prefixed = format!("{PREFIX}{name}");
    let sections = [
        format!("ConnectionStrings:{prefixed}"),
        prefixed,
        format!("ConnectionStrings:{name}"),
        name.to_owned(),
    ];
    let sections = sections.iter().map(|path| Section::new(variables, path));
    let mut sections = sections.filter(|section| !section.0.is_empty());
    let Some(section) = sections.next() else {
        bail!(
            "there is no connection {name}: set the variable {name} to a connection string \
             (UseDevelopmentStorage=true for the emulator), or {name}__accountName to an account"
        );
    };
    if let Some((variable, text)) = section.get("")? {
        let reference = Reference::parse(&text).with_context(|| format!("in {variable}"))?;
        ensure!(
            reference.is_none(),
            "{variable} is a reference to a vault that the platform did not resolve: check the app's \
             identity and its role on the vault, or use an identity with {name}__accountName"
        );
        return Connection::parse(name, &text).with_context(|| format!("in {variable}"));
    }
    let blob = service(&section, name, "blob")?;
    let queue = service(&section, name, "queue")?;
    let identity = identity_in(variables, &section, name)?;
    Connection::with_identity(name, blob, queue, identity)
}

/// The address of a service: made from the account's name, else as it is set. Where both are there,
/// the Functions host takes the name without a word, so that its triggers would look elsewhere.
fn service(section: &Section, name: &str, service: &str) -> anyhow::Result<url::Url> {
    let set = section.get(&format!("{service}ServiceUri"))?;
    let account = section.get("accountName")?;
    let set = match set {
        Some((variable, text)) => Some((address(&text).context(variable.clone())?, variable)),
        None => None,
    };
    let Some((variable, account)) = account else {
        if let Some((url, _)) = set {
            return Ok(url);
        }
        if section.get("serviceUri")?.is_some() {
            bail!(
                "{name}__serviceUri is the address of one service, and two are needed: set \
                 {name}__blobServiceUri and {name}__queueServiceUri"
            );
        }
        bail!("{name}__{service}ServiceUri is not set, nor is {name}__accountName");
    };
    let made = service_address(&account, service).context(variable.clone())?;
    if let Some((url, other)) = set {
        ensure!(
            url == made,
            "{variable} and {other} name two places: take one of them away"
        );
    }
    Ok(made)
}

/// Who asks. Where no credential is named, what the platform sets decides.
fn identity_in(variables: &Variables, section: &Section, name: &str) -> anyhow::Result<Identity> {
    for secret in SECRETS {
        if let Some((variable, _)) = section.get(secret)? {
            bail!(
                "{variable} is set: an application's own secret is not used; take it away and name \
                 an identity with {name}__credential"
            );
        }
    }
    for other in OTHERS {
        if let Some((variable, _)) = section.get(other)? {
            bail!("{variable} is set: name the identity with {name}__clientId instead");
        }
    }
    let has = |name: &str| {
        let mut variables = variables.iter();
        variables.any(|(own, value)| own == name && !value.is_empty())
    };
    let named = section.get("credential")?;
    let kind = match &named {
        Some((variable, kind)) => match kind.to_ascii_lowercase().as_str() {
            "managedidentity" => IdentityKind::Managed,
            "workloadidentity" => IdentityKind::Workload,
            "azurecli" => IdentityKind::AzureCli,
            _ => bail!("{variable} is none of managedidentity, workloadidentity and azurecli"),
        },
        None if has("IDENTITY_ENDPOINT") || has("MSI_ENDPOINT") => IdentityKind::Managed,
        None if has("AZURE_FEDERATED_TOKEN_FILE") => IdentityKind::Workload,
        None => IdentityKind::AzureCli,
    };
    // What is meant for all connections counts where this one is not told otherwise. A credential that
    // is named managed identity, and nothing more, is the one of the app.
    let shared = |variable: &str| -> anyhow::Result<Option<String>> {
        let shared = named.is_none() || kind == IdentityKind::Workload;
        let found = Section::exact(variables, variable)?.filter(|_| shared);
        Ok(found.map(|text| text.to_string()))
    };
    let own = |setting: &str| -> anyhow::Result<Option<String>> {
        let found = section.get(setting)?;
        Ok(found.map(|(_, text)| text.to_string()))
    };
    let resource_id = own("managedIdentityResourceId")?;
    let client_id = match own("clientId")? {
        None if resource_id.is_none() && kind != IdentityKind::AzureCli => {
            shared("AZURE_CLIENT_ID")?
        }
        own => own,
    };
    let tenant_id = match own("tenantId")? {
        None if kind == IdentityKind::Workload => shared("AZURE_TENANT_ID")?,
        own => own,
    };
    let token_file = match own("tokenFilePath")? {
        None if kind == IdentityKind::Workload => shared("AZURE_FEDERATED_TOKEN_FILE")?,
        own => own,
    };
    Ok(Identity {
        kind,
        client_id,
        tenant_id,
        resource_id,
        token_file: token_file.map(PathBuf::from),
    })
}

/// The variables of one section: the setting's name within it in small letters, the variable's own
/// name, and its value.
struct Section(Vec<(String, String, OsString)>);

impl Section {
    /// The section at a path with `:` between its parts. Nothing else of the environment is copied.
    fn new(variables: &Variables, path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        let found = variables.iter().filter_map(|(variable, value)| {
            let variable = variable.to_str()?;
            if variable.len() > 2 * MAX_NAME + 64 || value.is_empty() {
                return None;
            }
            let mut key = variable.to_ascii_lowercase().replace("__", ":");
            // As the platform writes a section's connection strings.
            if let Some(name) = key.strip_prefix("customconnstr_") {
                key = format!("connectionstrings:{name}");
            }
            let setting = match key.strip_prefix(&path)? {
                "" => "",
                rest => rest.strip_prefix(':')?,
            };
            Some((setting.to_owned(), variable.to_owned(), value.clone()))
        });
        Self(found.collect())
    }

    /// A setting of the section, with the variable that it stands in.
    fn get(&self, setting: &str) -> anyhow::Result<Option<(String, Zeroizing<String>)>> {
        let mut found = self
            .0
            .iter()
            .filter(|(own, ..)| own.eq_ignore_ascii_case(setting));
        let Some((_, variable, value)) = found.next() else {
            return Ok(None);
        };
        if let Some((_, other, _)) = found.next() {
            bail!("both {variable} and {other} are set: take one of them away");
        }
        text(variable, value).map(|text| Some((variable.clone(), text)))
    }

    /// A variable by its very name.
    fn exact(variables: &Variables, name: &str) -> anyhow::Result<Option<Zeroizing<String>>> {
        let mut variables = variables.iter();
        let found = variables.find(|(own, value)| own == name && !value.is_empty());
        found.map(|(_, value)| text(name, value)).transpose()
    }
}

fn text(variable: &str, value: &OsString) -> anyhow::Result<Zeroizing<String>> {
    let text = value.to_str().filter(|text| text.len() <= MAX_VALUE);
    let text =
        text.with_context(|| format!("{variable} is no text of at most {MAX_VALUE} bytes"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use septet::store::azure::Access;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        pairs.collect()
    }

    fn read(pairs: &[(&str, &str)]) -> anyhow::Result<Connection> {
        connection_in(&variables(pairs), "Data")
    }

    #[track_caller]
    fn refused(pairs: &[(&str, &str)]) -> String {
        let line = format!("{:#}", read(pairs).unwrap_err());
        assert!(
            !line.contains("topsecret") && !line.contains('\n'),
            "{line}"
        );
        line
    }

    #[track_caller]
    fn token(pairs: &[(&str, &str)]) -> (Connection, Identity) {
        let connection = read(pairs).unwrap();
        let Access::Token(identity) = connection.access.clone() else {
            panic!("{connection:?}")
        };
        (connection, identity)
    }

    const EMULATOR: &str = "UseDevelopmentStorage=true";

    #[test]
    fn a_connection_string_is_found_in_all_its_places() {
        for name in [
            "Data",
            "DATA",
            "AzureWebJobsData",
            "ConnectionStrings__Data",
            "ConnectionStrings:Data",
            "CUSTOMCONNSTR_Data",
            "ConnectionStrings__AzureWebJobsData",
        ] {
            let connection = read(&[(name, EMULATOR), ("Other", "topsecret")]).unwrap();
            assert_eq!(connection.blob.port(), Some(10_000), "{name}");
        }
        // The prefix wins, as in the Functions host.
        let both = [("Data", "topsecret"), ("AzureWebJobsData", EMULATOR)];
        assert!(read(&both).is_ok());
        let line = refused(&[("Data", "topsecret")]);
        assert!(
            line.starts_with("in Data: connection Data: part 1"),
            "{line}"
        );
        let line = refused(&[("DataBase", EMULATOR)]);
        assert!(line.contains("there is no connection Data"), "{line}");
        let line = refused(&[("data", EMULATOR), ("Data", EMULATOR)]);
        assert!(line.contains("both data and Data"), "{line}");
        assert!(connection_in(&variables(&[]), "a/b").is_err());
        let reference = "@Microsoft.KeyVault(VaultName=v;SecretName=k)";
        let line = refused(&[("Data", reference)]);
        assert!(line.contains("did not resolve"), "{line}");
    }

    #[test]
    fn an_account_and_an_identity() {
        let (connection, identity) = token(&[
            ("Data__accountName", "acc"),
            ("Data__credential", "managedidentity"),
            ("Data__clientId", "me"),
            ("AZURE_CLIENT_ID", "another"),
        ]);
        assert_eq!(
            connection.blob.as_str(),
            "https://acc.blob.core.windows.net/"
        );
        assert_eq!(
            connection.queue.as_str(),
            "https://acc.queue.core.windows.net/"
        );
        assert_eq!(identity.kind, IdentityKind::Managed);
        assert_eq!(identity.client_id.as_deref(), Some("me"));
        // Named, and nothing more: the app's own.
        let (_, identity) = token(&[
            ("Data:accountname", "acc"),
            ("Data__CREDENTIAL", "ManagedIdentity"),
            ("AZURE_CLIENT_ID", "another"),
        ]);
        assert_eq!(identity.client_id, None);
        let both =
            |blob: &str| read(&[("Data__accountName", "acc"), ("Data__blobServiceUri", blob)]);
        both("https://acc.blob.core.windows.net").unwrap();
        let error = both("https://own.example/").unwrap_err().to_string();
        assert!(error.contains("two places"), "{error}");
        let (connection, _) = token(&[
            ("Data__blobServiceUri", "https://own.example/acc"),
            ("Data__queueServiceUri", "https://own.example/acc"),
        ]);
        assert_eq!(connection.blob.as_str(), "https://own.example/acc");
    }

    #[test]
    fn the_platform_decides_where_nothing_is_named() {
        let account = ("Data__accountName", "acc");
        let kind = |more: &[(&str, &str)]| token(&[&[account], more].concat()).1;
        assert_eq!(kind(&[]).kind, IdentityKind::AzureCli);
        let managed = kind(&[("IDENTITY_ENDPOINT", "http://x"), ("AZURE_CLIENT_ID", "me")]);
        assert_eq!(managed.kind, IdentityKind::Managed);
        assert_eq!(managed.client_id.as_deref(), Some("me"));
        let workload = kind(&[
            ("AZURE_FEDERATED_TOKEN_FILE", "/token"),
            ("AZURE_CLIENT_ID", "me"),
            ("AZURE_TENANT_ID", "there"),
        ]);
        assert_eq!(workload.kind, IdentityKind::Workload);
        assert_eq!(workload.tenant_id.as_deref(), Some("there"));
        assert_eq!(workload.token_file, Some("/token".into()));
    }

    #[test]
    fn what_is_wrong_names_its_variable() {
        let account = ("Data__accountName", "acc");
        for (pairs, named) in [
            (
                &[("Data__accountName", "topsecret/")][..],
                "Data__accountName",
            ),
            (
                &[("Data__credential", "azurecli")],
                "Data__blobServiceUri is not set",
            ),
            (
                &[("Data__serviceUri", "https://x")],
                "Data__blobServiceUri and",
            ),
            (
                &[("Data__blobServiceUri", "https://x/?sig=topsecret")],
                "Data__blobServiceUri",
            ),
            (
                &[
                    ("Data__blobServiceUri", "https://127.0.0.1/"),
                    ("Data__queueServiceUri", "http://127.0.0.1/"),
                ],
                "is not https",
            ),
            (
                &[account, ("Data__credential", "topsecret")],
                "Data__credential is none",
            ),
            (
                &[account, ("Data__managedIdentityObjectId", "x")],
                "__clientId instead",
            ),
            (
                &[account, ("Data__clientSecret", "topsecret")],
                "Data__clientSecret is set",
            ),
        ] {
            let line = refused(pairs);
            assert!(line.contains(named), "{line}");
        }
    }
}
