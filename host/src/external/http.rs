//! An external stage that is an HTTP function.
//!
//! 200 is an outcome; 202 with `Location` is asked again there; 422 is rejected; 429 and 503 are tried again, after
//! `Retry-After` where it is said; all else is a failure. Redirects are not followed: a key would be
//! sent to wherever an answer says.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER},
    redirect::Policy,
};
use url::Url;

use super::{
    call::{Around, Ended, How, failed},
    command::given,
    definition::{External, Headers, Way},
    document::{Answer, Asked, MAX_BODY, Place},
    door::Visit,
};
use crate::{
    capability::clean,
    contract::{Artifact, Blame, Call, Disposition},
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The wait before an answer is asked for again, where none is said.
const AGAIN: Duration = Duration::from_secs(1);

/// The wait where a function asks to be tried again and does not say when.
const WAIT: u64 = 30_000;

/// Bytes of an answer that is no outcome, of which a reason is made.
const MAX_REASON: u64 = 64 << 10;

/// Asks the function.
pub(super) async fn run(
    external: &External,
    call: &Call,
    around: &Around<'_>,
) -> anyhow::Result<Ended> {
    let Way::Http { url, headers } = external.way() else {
        anyhow::bail!("it is no HTTP function");
    };
    let inputs = given(call);
    let visit = around
        .externals
        .door()
        .visit(inputs.clone(), around.blobs, around.limits)
        .await?;
    let asked = asked(call, inputs, &visit)?;
    let asking = ask((url, headers), call, asked, around);
    let deadline = around.pulse.deadline();
    let how = tokio::select! {
        biased;
        how = asking => how?,
        reason = around.pulse.control().wait_for_stop() => How::Not(Disposition::Failed {
            reason: format!("the call was stopped: {}", clean(&reason, 200)),
            blame: Blame::Host,
        }),
        () = tokio::time::sleep_until(deadline.into()) => {
            How::Not(failed(around.limits, around.pulse.overdue()))
        }
    };
    Ok(Ended {
        how,
        visit: Some(visit),
        peak_memory_bytes: 0,
    })
}

/// The invocation, with the addresses of its artifacts.
pub(super) fn asked(
    call: &Call,
    inputs: Vec<Artifact>,
    visit: &Visit,
) -> anyhow::Result<serde_json::Value> {
    let placed = inputs.into_iter().enumerate();
    let placed: Vec<_> = placed
        .map(|(at, input)| (input, Place::Url(visit.input(at))))
        .collect();
    let asked = Asked::new(call, &placed)?.putting(visit.outputs());
    Ok(serde_json::to_value(asked)?)
}

async fn ask(
    (url, headers): (&Url, &Headers),
    call: &Call,
    asked: serde_json::Value,
    around: &Around<'_>,
) -> anyhow::Result<How> {
    let client = client(url)?;
    let request = |method: Method, url: Url| {
        let request = client.request(method, url);
        headers.all().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    };
    // The same call asks with the same key, however often: a function that keeps it does the work once.
    let key = around.id(call);
    let first = request(Method::POST, url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header(HeaderName::from_static("idempotency-key"), key)
        .body(serde_json::to_vec(&asked)?);
    let mut sent = first.send().await;
    let mut place = url.clone();
    loop {
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Ok(unreached(&error)),
        };
        if response.status() != StatusCode::ACCEPTED {
            return how(response, around).await;
        }
        let wait = after(&response).unwrap_or(AGAIN);
        if let Some(location) = response.headers().get(LOCATION) {
            let location = location
                .to_str()
                .ok()
                .and_then(|text| place.join(text).ok());
            // A key is for the one that it was given for.
            let own = location.filter(|location| location.origin() == url.origin());
            let Some(own) = own else {
                let why = "it sent us on to somewhere else: Location must be of its own host";
                return Ok(How::Not(failed(around.limits, why)));
            };
            place = own;
        } else if place == *url {
            let why = "it answered 202 without saying where to ask again (Location)";
            return Ok(How::Not(failed(around.limits, why)));
        }
        tokio::time::sleep(wait.max(Duration::from_millis(10))).await;
        sent = request(Method::GET, place.clone()).send().await;
    }
}

fn client(url: &Url) -> anyhow::Result<Client> {
    crate::tls::provide();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT)
        .redirect(Policy::none())
        .user_agent(concat!("septet/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) {
        // A proxy outside can't reach this machine's own, and would read the key.
        builder = builder.no_proxy();
    }
    builder.build().context("TLS can't be set up")
}

/// Whether an address is this machine's own.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// It may be there the next time: counted, and tried again.
fn unreached(error: &reqwest::Error) -> How {
    let mut causes = vec![];
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = cause {
        causes.push(one.to_string());
        cause = one.source();
    }
    // The address is in the settings, and may hold what is not for logs.
    let last = causes.last().cloned().unwrap_or_default();
    How::Not(Disposition::Failed {
        reason: format!("it can't be reached: {}", clean(&last, 200)),
        blame: Blame::Guest,
    })
}

async fn how(response: Response, around: &Around<'_>) -> anyhow::Result<How> {
    let limits = around.limits;
    let status = response.status();
    let wait = after(&response);
    let most = if status == StatusCode::OK {
        MAX_BODY
    } else {
        MAX_REASON
    };
    let body = match body(response, most).await {
        Ok(body) => body,
        Err(why) => {
            return Ok(How::Not(failed(
                limits,
                format!("it answered {status}, but {why}"),
            )));
        }
    };
    let answer = Answer::read(&body);
    if status == StatusCode::OK {
        return Ok(match answer {
            Ok(answer) if !answer.is_error() => How::Done(Box::new(answer), None),
            Ok(answer) => {
                let reason = answer.reason().unwrap_or("no reason");
                let why = format!("it answered 200, but its outcome is an error: {reason}");
                How::Not(failed(limits, why))
            }
            Err(why) => How::Not(failed(limits, format!("it answered 200, but {why}"))),
        });
    }
    let reason = match answer.as_ref().ok().and_then(Answer::reason) {
        Some(reason) => clean(reason, limits.text_bytes),
        None => clean(String::from_utf8_lossy(&body).trim(), 400),
    };
    Ok(How::Not(match status {
        StatusCode::UNPROCESSABLE_ENTITY => Disposition::Rejected { reason },
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let said = answer.ok().and_then(|answer| answer.retry);
            let said = said.map(|delay| delay.milliseconds);
            let wait = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            Disposition::Retry {
                after: said
                    .or(wait)
                    .unwrap_or(WAIT)
                    .min(limits.retry_seconds * 1000),
                reason: format!("it answered {}: {reason}", status.as_u16()),
            }
        }
        status if status.is_redirection() => failed(
            limits,
            format!(
                "it answered {}, and redirects are not followed: set its own address",
                status.as_u16()
            ),
        ),
        status => failed(limits, format!("it answered {}: {reason}", status.as_u16())),
    }))
}

/// How long is to be waited by the answer, in seconds or until a time.
fn after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    let until = Duration::from_secs(u64::try_from(time.timestamp()).ok()?);
    Some(until.saturating_sub(now))
}

async fn body(mut response: Response, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) => return Ok(bytes),
            Err(_) => return Err("its answer was cut off".to_owned()),
        }
        if bytes.len() as u64 > most {
            return Err(format!("its answer has more than {most} bytes"));
        }
    }
}
