//! What a service's refusal means to a user, in one line that names where and what to do.
//!
//! The libraries' own texts are not shown: they name addresses, and an address may end in a
//! signature.

use std::error::Error as _;

use anyhow::anyhow;
use azure_core::{Error, error::ErrorKind, http::StatusCode};

/// Where something was asked for.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The connection's name in settings.
    pub(super) connection: String,
    /// The service's host, as a user knows it.
    pub(super) host: String,
    /// `container cas` or `queue train`.
    pub(super) what: String,
}

/// The service's own word for what is wrong.
pub(super) fn code(error: &Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::HttpResponse { error_code, .. } => error_code.as_deref(),
        _ => None,
    }
}

/// Whether what was asked for is not there: the blob, the message or the queue, and not the
/// container, which somebody must make.
pub(super) fn is_missing(error: &Error) -> bool {
    error.http_status() == Some(StatusCode::NotFound) && code(error) != Some("ContainerNotFound")
}

/// Whether somebody else was first: it is there already, or is not as it was.
pub(super) fn is_taken(error: &Error) -> bool {
    matches!(
        error.http_status(),
        Some(StatusCode::Conflict | StatusCode::PreconditionFailed)
    )
}

impl Place {
    /// The line for a user.
    pub(super) fn explain(&self, error: &Error) -> anyhow::Error {
        let Self {
            connection,
            host,
            what,
        } = self;
        let told = match (error.http_status(), code(error)) {
            (Some(status), code) => self.refusal(status, code.unwrap_or_default()),
            (None, _) => Self::unreached(error),
        };
        anyhow!("{what} of {host} (connection {connection}): {told}")
    }

    fn refusal(&self, status: StatusCode, code: &str) -> String {
        let what = &self.what;
        match (u16::from(status), code) {
            (403, "AuthenticationFailed") => "the account does not accept its key, signature or \
                 token (AuthenticationFailed): check the key, until when the signature is good, or \
                 the token's tenant and this machine's clock"
                .to_owned(),
            (
                403,
                "AuthorizationPermissionMismatch"
                | "AuthorizationFailure"
                | "InsufficientAccountPermissions"
                | "AuthorizationServiceMismatch"
                | "AuthorizationResourceTypeMismatch",
            ) => {
                let role = if what.starts_with("queue") {
                    "Storage Queue Data Contributor"
                } else {
                    "Storage Blob Data Contributor"
                };
                format!(
                    "it may not be used so ({code}): check the key, or give the identity the role \
                     '{role}' on the {what}, or the signature that permission; the account's \
                     firewall may also keep this machine out"
                )
            }
            (401, _) | (403, "InvalidAuthenticationInfo" | "NoAuthenticationInformation") => {
                format!(
                    "the account does not accept the token or signature ({}): check the identity's \
                     tenant, and that the connection has a way in",
                    shown(code, status)
                )
            }
            (404, "ContainerNotFound") => format!(
                "there is no such container: `septet init` or the first run makes it where that \
                 is allowed, a deployment makes it before; check the name of the account and {what}"
            ),
            _ => format!("the service answered {}", shown(code, status)),
        }
    }

    fn unreached(error: &Error) -> String {
        if let Some(line) = super::no_token(error) {
            return bounded(&line);
        }
        let root = root(error);
        let lower = root.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if has(&["lookup", "dns", "name or service", "name resolution"]) {
            "this host is not known: check the account's name, and the network".to_owned()
        } else if has(&["certificate", "tls", "handshake", "corrupt message"]) {
            format!("no trusted TLS connection ({root}): check the address and the trusted roots")
        } else if has(&["refused"]) {
            "nothing answers there (connection refused): check the address and its port".to_owned()
        } else if has(&["timed out", "deadline", "timeout"]) {
            "no answer in time: check the network, and try again".to_owned()
        } else {
            format!("the service can't be reached or understood ({root})")
        }
    }
}

fn shown(code: &str, status: StatusCode) -> String {
    if code.is_empty() {
        u16::from(status).to_string()
    } else {
        format!("{} {}", u16::from(status), bounded(code))
    }
}

/// The innermost cause, which has no address in it.
fn root(error: &Error) -> String {
    let mut cause: &(dyn std::error::Error + 'static) = match error.source() {
        Some(cause) => cause,
        None => return bounded(&error.to_string()),
    };
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if cause.is::<reqwest::Error>() {
        return "the request failed".to_owned();
    }
    bounded(&cause.to_string())
}

/// What another wrote, short and on one line.
fn bounded(text: &str) -> String {
    let text: String = text.chars().take(300).collect();
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, code: &str) -> String {
        let place = Place {
            connection: "PipelineStorage".to_owned(),
            host: "account.blob.core.windows.net".to_owned(),
            what: "container cas".to_owned(),
        };
        let kind = ErrorKind::HttpResponse {
            status: status.into(),
            error_code: Some(code.to_owned()),
            raw_response: None,
        };
        place.explain(&kind.into_error()).to_string()
    }

    #[test]
    fn each_refusal_names_where_and_what_to_do() {
        for (status, code, part) in [
            (403, "AuthenticationFailed", "check the key"),
            (
                403,
                "AuthorizationPermissionMismatch",
                "Storage Blob Data Contributor",
            ),
            (401, "InvalidAuthenticationInfo", "tenant"),
            (404, "ContainerNotFound", "no such container"),
            (500, "InternalError", "500 InternalError"),
        ] {
            let line = told(status, code);
            assert!(line.contains(part), "{line}");
            assert!(line.contains("container cas of account.blob"), "{line}");
            assert!(
                line.contains("PipelineStorage") && !line.contains('\n'),
                "{line}"
            );
        }
        let long = told(400, &"x\n".repeat(1000));
        assert!(long.len() < 1000 && !long.contains('\n'), "{long}");
    }
}
