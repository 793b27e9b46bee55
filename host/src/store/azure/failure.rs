//! Why there is no token, in one line that says what to do.
//!
//! What a server or a tool said is not repeated, but for numbers that are looked up: it may be long,
//! of many lines, and have parts of a token.

use std::{error::Error as _, time::Duration};

use azure_core::error::{Error, ErrorKind};

use super::IdentityKind;

/// The errors from the outermost to the cause.
fn chain(error: &Error) -> impl Iterator<Item = &Error> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let own = next?;
        next = own.source().and_then(|source| source.downcast_ref());
        Some(own)
    })
}

/// The status of an answer, where there was one.
fn status(error: &Error) -> Option<u16> {
    chain(error).find_map(|error| error.http_status().map(u16::from))
}

fn is(error: &Error, kind: &ErrorKind) -> bool {
    chain(error).any(|error| error.kind() == kind)
}

/// Whether it may be well to ask again in a moment.
pub(super) fn passes(error: &Error, kind: IdentityKind) -> bool {
    match status(error) {
        // The endpoint of an instance says so while it is being set up.
        Some(404 | 410) => kind == IdentityKind::Managed,
        Some(status) => status == 429 || status >= 500,
        None => {
            kind != IdentityKind::AzureCli
                && (is(error, &ErrorKind::Connection) || is(error, &ErrorKind::Io))
        }
    }
}

/// The line that was made of a failure to get a token, out of what the SDK wrapped around it; none where
/// something else went wrong.
pub(crate) fn line(error: &Error) -> Option<String> {
    let own = chain(error).filter(|error| matches!(error.kind(), ErrorKind::Credential));
    own.last().map(ToString::to_string)
}

/// What happened.
pub(super) fn told(error: &Error, kind: IdentityKind, called: &str) -> String {
    match kind {
        IdentityKind::Managed => managed(error, called),
        IdentityKind::Workload => workload(error, called),
        IdentityKind::AzureCli => azure_cli(error, called),
    }
}

/// Nothing came in time.
pub(super) fn late(kind: IdentityKind, called: &str, limit: Duration) -> String {
    let (who, hint) = match kind {
        IdentityKind::Managed => (
            "the endpoint of managed identities",
            "outside Azure set {}__credential to azurecli",
        ),
        IdentityKind::Workload => (
            "the directory",
            "is the network open to AZURE_AUTHORITY_HOST?",
        ),
        IdentityKind::AzureCli => ("the Azure CLI", "does `az account get-access-token` work?"),
    };
    let hint = hint.replace("{}", called);
    let seconds = limit.as_secs();
    format!("no token for {called}: {who} gave none within {seconds} seconds ({hint})")
}

fn managed(error: &Error, called: &str) -> String {
    let why = match status(error) {
        Some(400) => format!(
            "the endpoint of managed identities knows no such identity (status 400): assign one to \
             this app, and where it is user-assigned, give its client id as {called}__clientId"
        ),
        Some(status @ (401 | 403)) => format!(
            "the endpoint of managed identities refused (status {status}): IDENTITY_ENDPOINT and \
             IDENTITY_HEADER must be those that the platform sets"
        ),
        Some(status) => {
            format!("the endpoint of managed identities failed (status {status}): try again later")
        }
        None if is(error, &ErrorKind::Connection) => format!(
            "no endpoint of managed identities can be reached: outside Azure set \
             {called}__credential to azurecli"
        ),
        None if is(error, &ErrorKind::DataConversion) => {
            "the endpoint of managed identities answered with something that is no token".to_owned()
        }
        None if is(error, &ErrorKind::Io) => {
            "the endpoint of managed identities broke off or gave no answer in time".to_owned()
        }
        // Before anything was asked: the variables of the platform.
        None => "managed identities are not to be had on this platform: IDENTITY_ENDPOINT, \
                 IDENTITY_HEADER and MSI_ENDPOINT say so"
            .to_owned(),
    };
    format!("no token for {called}: {why}")
}

fn workload(error: &Error, called: &str) -> String {
    let code = chain(error).find_map(|error| match error.kind() {
        ErrorKind::HttpResponse {
            error_code: Some(code),
            ..
        } => Some(code.as_str()),
        _ => None,
    });
    // Only numbers, and not many.
    let code = code
        .filter(|code| code.len() <= 40 && code.bytes().all(|b| b.is_ascii_digit() || b == b','));
    let why = match (status(error), code) {
        (Some(status), Some(code)) => format!(
            "the directory refused (status {status}, AADSTS{code}): check {called}__tenantId, \
             {called}__clientId and the identity's federated credential"
        ),
        (Some(status), None) => format!("the directory failed (status {status}): try again later"),
        (None, _) if is(error, &ErrorKind::Connection) => {
            "the directory can't be reached: check the network and AZURE_AUTHORITY_HOST".to_owned()
        }
        (None, _) if is(error, &ErrorKind::DataConversion) => {
            "the directory answered with something that is no token".to_owned()
        }
        (None, _) if is(error, &ErrorKind::Io) => {
            "the directory broke off or gave no answer in time".to_owned()
        }
        (None, _) => format!(
            "workload identity is not set up: check AZURE_AUTHORITY_HOST, the token file, and \
             {called}__tenantId"
        ),
    };
    format!("no token for {called}: {why}")
}

fn azure_cli(error: &Error, called: &str) -> String {
    let text = error.to_string();
    let why = if text.contains("not found on PATH") {
        format!(
            "the Azure CLI is not installed; in Azure set {called}__credential to managedidentity"
        )
    } else if text.contains("az login") {
        "nobody is logged in to the Azure CLI: run `az login`".to_owned()
    } else if is(error, &ErrorKind::DataConversion) {
        "the Azure CLI answered with something that is no token: it must be 2.54 or newer"
            .to_owned()
    } else {
        "the Azure CLI gave none: see what `az account get-access-token --resource \
         https://storage.azure.com` says"
            .to_owned()
    };
    format!("no token for {called}: {why}")
}

#[cfg(test)]
mod tests {
    use azure_core::http::StatusCode;

    use super::*;

    fn answered(status: u16, code: Option<&str>) -> Error {
        let inner = Error::new(
            ErrorKind::HttpResponse {
                status: StatusCode::from(status),
                error_code: code.map(str::to_owned),
                raw_response: None,
            },
            "secret\nbody",
        );
        Error::with_error(
            ErrorKind::Credential,
            inner,
            "failed. secret\nTo troubleshoot",
        )
    }

    #[test]
    fn every_failure_is_one_line_and_repeats_nothing() {
        let managed = |status| told(&answered(status, None), IdentityKind::Managed, "Data");
        assert!(managed(400).contains("Data__clientId"));
        assert!(managed(403).contains("IDENTITY_HEADER"));
        assert!(managed(500).contains("status 500"));
        let refused = answered(401, Some("70021"));
        let line = told(&refused, IdentityKind::Workload, "Data");
        assert!(line.contains("AADSTS70021"), "{line}");
        let odd = answered(401, Some("secret"));
        for line in [
            managed(400),
            managed(418),
            line,
            told(&odd, IdentityKind::Workload, "Data"),
            late(IdentityKind::Managed, "Data", Duration::from_secs(30)),
        ] {
            assert!(!line.contains("secret") && !line.contains('\n'), "{line}");
            assert!(line.starts_with("no token for Data: "), "{line}");
        }
    }

    #[test]
    fn the_command_line_tells_why() {
        let line = |text: &str| {
            let error = Error::with_message(ErrorKind::Credential, text.to_owned());
            told(&error, IdentityKind::AzureCli, "Data")
        };
        assert!(line("az not found on PATH").contains("not installed"));
        assert!(line("Please run 'az login' to setup account.").contains("run `az login`"));
        let odd = line("secret\nTraceback");
        assert!(odd.contains("get-access-token") && !odd.contains("secret"));
    }

    #[test]
    fn a_line_is_found_under_what_was_wrapped_around_it() {
        let own = Error::with_message(ErrorKind::Credential, "no token for Data: why");
        let wrapped = Error::with_error(ErrorKind::Credential, own, "will not be retried");
        assert_eq!(line(&wrapped).unwrap(), "no token for Data: why");
        assert_eq!(
            line(&answered(400, None)).unwrap(),
            "failed. secret\nTo troubleshoot"
        );
        assert_eq!(line(&Error::with_message(ErrorKind::Io, "x")), None);
    }

    #[test]
    fn what_passes_is_asked_again() {
        use IdentityKind::{AzureCli, Managed, Workload};
        for (status, kind, again) in [
            (400, Managed, false),
            (404, Managed, true),
            (404, Workload, false),
            (429, Workload, true),
            (500, Managed, true),
        ] {
            assert_eq!(passes(&answered(status, None), kind), again, "{status}");
        }
        let broken = Error::with_message(ErrorKind::Connection, "x");
        assert!(passes(&broken, Managed) && !passes(&broken, AzureCli));
    }
}
