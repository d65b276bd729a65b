//! A running server's HTTP API (docs/api.md), as the commands need it.

mod credentials;
mod people;
mod tls;
mod trust;

use std::io::Read;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;
use ureq::http::header::{AUTHORIZATION, COOKIE};
use ureq::http::{HeaderName, HeaderValue, Response};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};
use ureq::{Agent, Body, RequestBuilder};

use crate::failure::{Failure, REFUSED, UNAVAILABLE};
use crate::output::printable;
use credentials::Credentials;
pub(crate) use credentials::secret_line;
pub(crate) use people::{SignIn, Verb};
use tls::TlsConnector;
use trust::{Trust, is_distrust};

/// A page of 10,000 records of 1 MiB would be 10 GiB; nobody reads that in a terminal.
const ANSWER_BYTES: u64 = 1 << 30;
const ERROR_BYTES: u64 = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A stream says something every second; one that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(30);

/// Which server to ask.
#[derive(clap::Args, Debug)]
pub(crate) struct Server {
    /// Address of the server
    #[arg(long, env = "LOGKEEP_URL", default_value = "http://127.0.0.1:7280", value_name = "URL")]
    pub(crate) url: String,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    credentials: Credentials,
    /// What it is for, as the audit trail is to say
    #[arg(long, env = "LOGKEEP_PURPOSE", value_name = "TEXT")]
    purpose: Option<String>,
}

/// The error form of the API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiError {
    message: String,
    position: Option<usize>,
    length: Option<usize>,
    expected: Vec<String>,
    suggestion: Option<String>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ApiError,
}

/// What the server did with a chunk of lines.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Imported {
    /// Records made durable.
    pub(crate) stored: u64,
    /// Records recognised as stored before.
    pub(crate) deduplicated: u64,
    /// Records that cannot be stored.
    pub(crate) rejected: u64,
}

impl Imported {
    /// Counts another answer in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.stored += other.stored;
        self.deduplicated += other.deduplicated;
        self.rejected += other.rejected;
    }
}

/// Whether a chunk has arrived.
pub(crate) enum Delivery {
    /// It is durable.
    Stored(Imported),
    /// Not now.
    Later {
        /// As the server asked.
        after: Option<Duration>,
        /// What to say when giving up.
        failure: Failure,
        /// Whether the server said so, as against nobody answering.
        is_answer: bool,
    },
}

/// A connection to one server.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    /// What is shown with every request.
    shown: Option<(HeaderName, HeaderValue)>,
    purpose: Option<HeaderValue>,
}

impl Client {
    /// Fails on a URL that cannot be one.
    pub(crate) fn new(server: &Server) -> Result<Self> {
        let base = server.url.trim_end_matches('/').to_owned();
        let is_encrypted = base.starts_with("https://");
        if !is_encrypted && !base.starts_with("http://") {
            let text = format!("`{}` is no server address; it begins with `http://` or `https://`", server.url);
            return Err(Failure { code: REFUSED, text }.into());
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_redirects(0)
            .proxy(None)
            .build();
        let agent = match is_encrypted {
            true => {
                let connector = TcpConnector::default().chain(TlsConnector(server.trust.config()?));
                Agent::with_parts(config, connector, DefaultResolver::default())
            }
            false => config.new_agent(),
        };
        let shown = server.credentials.authorization(&base)?.map(|value| (AUTHORIZATION, value));
        let purpose = server.purpose.as_deref().filter(|text| !text.is_empty());
        let purpose = purpose.map(|text| HeaderValue::from_bytes(text.as_bytes())).transpose();
        let purpose = purpose.context("`--purpose` is one line of text")?;
        Ok(Self { agent, base: format!("{base}/api/v1"), shown, purpose })
    }

    /// Where its API is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A request that shows who asks.
    fn showing<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let request = match &self.purpose {
            Some(purpose) => request.header("x-logkeep-purpose", purpose),
            None => request,
        };
        match &self.shown {
            Some((name, value)) => request.header(name, value),
            None => request,
        }
    }

    /// `GET`s the text of a JSON answer. `text` is the query that a position in an error refers to.
    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)], text: &str) -> Result<String> {
        let request = self.agent.get(format!("{}{path}", self.base)).query_pairs(parameters.iter().copied());
        let mut response = self.accepted(self.showing(request).call(), text)?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
        Ok(body.map_err(|error| self.unreachable(&error))?)
    }

    /// Opens a file that the server makes as it is read; reading it fails if it is cut short. `text` as for [`Self::get`].
    pub(crate) fn file(&self, path: &str, parameters: &[(&str, &str)], text: &str) -> Result<impl Read + use<>> {
        let request = self.agent.get(format!("{}{path}", self.base)).query_pairs(parameters.iter().copied());
        let response = self.accepted(self.showing(request).call(), text)?;
        Ok(response.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// Opens a stream of server-sent events.
    pub(crate) fn stream(&self, path: &str, query: &str) -> Result<impl Read + use<>> {
        let request = self.showing(self.agent.get(format!("{}{path}", self.base))).query("q", query);
        let request = request.header("accept", "text/event-stream").config().timeout_per_read(Some(SILENCE)).build();
        let response = self.accepted(request.call(), query)?;
        Ok(response.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// Runs SQL and gives the body in the media type asked for.
    pub(crate) fn sql(&self, sql: &str, accept: &str) -> Result<impl Read + use<>> {
        let request = self.showing(self.agent.post(format!("{}/sql", self.base))).header("accept", accept);
        let response = self.accepted(request.send_json(json!({ "sql": sql })), sql)?;
        Ok(response.into_body().into_with_config().limit(ANSWER_BYTES).reader())
    }

    /// Sends lines to be stored under a key by which a repeat is recognised.
    pub(crate) fn import(&self, parameters: &[(&str, &str)], key: &str, body: &[u8]) -> Result<Delivery> {
        let request = self.showing(self.agent.post(format!("{}/ingest/lines", self.base)));
        let request = request.query_pairs(parameters.iter().copied());
        let request = request.header("x-logkeep-batch", key).header("content-type", "application/octet-stream");
        let response = match request.config().timeout_recv_response(Some(SILENCE * 2)).build().send(body) {
            Ok(response) => response,
            Err(error) => {
                return Ok(Delivery::Later { after: None, failure: self.unreachable(&error), is_answer: false });
            }
        };
        let is_busy = matches!(response.status().as_u16(), 429 | 503);
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        match self.accepted(Ok(response), "") {
            Ok(mut response) => {
                let text = response.body_mut().with_config().limit(ERROR_BYTES).read_to_string();
                let text = text.map_err(|error| self.unreachable(&error))?;
                let answer = serde_json::from_str(&text).map_err(|error| Failure {
                    code: UNAVAILABLE,
                    text: format!("the answer of {} is not in the form Logkeep uses: {error}", self.base),
                })?;
                Ok(Delivery::Stored(answer))
            }
            Err(error) if is_busy => {
                let failure = error.downcast::<Failure>()?;
                Ok(Delivery::Later { after: after.map(Duration::from_secs), failure, is_answer: true })
            }
            Err(error) => Err(error),
        }
    }

    fn accepted(&self, result: Result<Response<Body>, ureq::Error>, text: &str) -> Result<Response<Body>> {
        let mut response = result.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(response);
        }
        let code = if status >= 500 || status == 429 { UNAVAILABLE } else { REFUSED };
        let hint =
            if status == 401 { "\nhint: show a token: `--token-file FILE`, or the variable LOGKEEP_TOKEN" } else { "" };
        let body = response.body_mut().with_config().limit(ERROR_BYTES).read_to_string().unwrap_or_default();
        let text = match serde_json::from_str::<ErrorAnswer>(&body) {
            Ok(answer) => explain(&answer.error, text) + hint,
            Err(_) => format!("the server answered {status}, not in the form Logkeep uses; is `{}` right?", self.base),
        };
        Err(Failure { code, text }.into())
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let hint = match is_distrust(error) {
            true => {
                "name the authority of its certificate with `--ca FILE`, and yours with `--client-cert` and `--client-key`"
            }
            false => "is `logkeep serve` running there?",
        };
        let text = format!("no answer from {}: {error}\nhint: {hint}", self.base);
        Failure { code: UNAVAILABLE, text }
    }
}

/// The message, the place in the text it is about, and what would work.
pub(crate) fn explain(error: &ApiError, text: &str) -> String {
    let mut out = printable(&error.message);
    if let Some(position) = error.position {
        let (line, column) = line_at(text, position);
        let room = line.chars().count().saturating_sub(column).max(1);
        let carets = "^".repeat(error.length.unwrap_or(1).clamp(1, room));
        out.push_str(&format!("\n  {}\n  {}{carets}", printable(line), " ".repeat(column)));
    }
    if !error.expected.is_empty() {
        out.push_str(&format!("\nexpected: {}", printable(&error.expected.join(", "))));
    }
    if let Some(suggestion) = &error.suggestion {
        out.push_str(&format!("\ntry: {}", printable(suggestion)));
    }
    out
}

/// The line that has the character at `position`, and its column there, from 0.
fn line_at(text: &str, position: usize) -> (&str, usize) {
    let mut left = position;
    let mut last = ("", 0);
    for line in text.split('\n') {
        let length = line.chars().count();
        if left <= length {
            return (line, left);
        }
        left -= length + 1;
        last = (line, length);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, position: usize, length: usize, expected: &str) {
        let error = ApiError {
            message: "wrong".into(),
            position: Some(position),
            length: Some(length),
            expected: vec!["value".into()],
            suggestion: Some("a:*".into()),
        };
        assert_eq!(explain(&error, text), format!("wrong\n{expected}\nexpected: value\ntry: a:*"), "{text}");
    }

    #[test]
    fn carets_stand_under_the_fault() {
        check("a:", 2, 0, "  a:\n    ^");
        check("é (b", 2, 1, "  é (b\n    ^");
        check("select\n1 fro x\nwhere", 9, 3, "  1 fro x\n    ^^^");
        check("ab", 1, 900, "  ab\n   ^");
        check("", 5, 1, "  \n  ^");
    }

    #[test]
    fn without_a_place_there_are_no_carets() {
        assert_eq!(explain(&ApiError { message: "no\u{1b}[2J".into(), ..ApiError::default() }, "a"), "no\\u{1b}[2J");
    }
}
