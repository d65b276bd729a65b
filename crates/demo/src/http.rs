//! One keep-alive HTTP/1.1 connection, as every sender library has.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A server that has not answered by then is taken for dead.
const TIMEOUT: Duration = Duration::from_secs(30);
/// More of an answer is not read.
const ANSWER_BYTES: usize = 8 << 20;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("cannot reach {address}")]
    Connect { address: SocketAddr, source: std::io::Error },
    #[error("the connection to {address} broke")]
    Broken { address: SocketAddr, source: hyper::Error },
    #[error("no usable answer from {address}: {what}")]
    Answer { address: SocketAddr, what: String },
    #[error("{address} did not answer within {} s", TIMEOUT.as_secs())]
    Timeout { address: SocketAddr },
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// A connection that is opened when needed and again when it broke.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Sends one request and reads its answer. After an error the next request opens a new connection.
    pub(crate) async fn post(&mut self, path: &str, media_type: &str, body: Bytes) -> Result<Answer, HttpError> {
        let address = self.address;
        let result = tokio::time::timeout(TIMEOUT, self.exchange(path, media_type, body))
            .await
            .unwrap_or(Err(HttpError::Timeout { address }));
        if result.is_err() {
            self.open = None;
        }
        result
    }

    async fn exchange(&mut self, path: &str, media_type: &str, body: Bytes) -> Result<Answer, HttpError> {
        let address = self.address;
        let request = http::Request::post(path)
            .header(HOST, address.to_string())
            .header(CONTENT_TYPE, media_type)
            .body(Full::new(body))
            .map_err(|error| HttpError::Answer { address, what: error.to_string() })?;
        let broken = |source| HttpError::Broken { address, source };
        let mut sender = self.connected().await?;
        sender.ready().await.map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| HttpError::Answer { address, what: error.to_string() })?.to_bytes();
        self.open = Some(sender);
        Ok(Answer { status, retry_after: seconds.map(Duration::from_secs), body })
    }

    async fn connected(&mut self) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let address = self.address;
        if let Some(sender) = self.open.take().filter(|sender| !sender.is_closed()) {
            return Ok(sender);
        }
        let stream = TcpStream::connect(address).await.map_err(|source| HttpError::Connect { address, source })?;
        stream.set_nodelay(true).map_err(|source| HttpError::Connect { address, source })?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|source| HttpError::Broken { address, source })?;
        // It ends when the sender is dropped; its error reaches us through the sender.
        tokio::spawn(connection);
        Ok(sender)
    }
}
