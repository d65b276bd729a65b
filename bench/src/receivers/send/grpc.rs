//! gRPC: calls one after the other on a connection of HTTP/2, or one call with a stream of messages.
//!
//! Messages come with their frame, so a client of HTTP/2 is all that is needed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::receivers::payload::Payload;

/// A call that has not been answered by then never will be.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Each call has one request and is answered before the next.
pub(super) fn calls(address: SocketAddr, path: &str, payload: &Payload) -> anyhow::Result<()> {
    run(async {
        let mut sender = connect(address).await?;
        while let Some(request) = payload.next()? {
            call(&mut sender, address, path, Full::new(Bytes::from(request.bytes))).await?;
        }
        Ok(())
    })
}

/// One call: `first`, and then all requests.
pub(super) fn stream(address: SocketAddr, path: &str, first: Vec<u8>, payload: &Payload) -> anyhow::Result<()> {
    // The client wants to own what it sends, on whatever thread.
    let (messages, waiting) = tokio::sync::mpsc::channel(2);
    let feed = async {
        let mut next = Some(first);
        while let Some(message) = next {
            if messages.send(Bytes::from(message)).await.is_err() {
                break;
            }
            next = payload.next()?.map(|request| request.bytes);
        }
        drop(messages);
        anyhow::Ok(())
    };
    run(async {
        let mut sender = connect(address).await?;
        let (fed, answered) = tokio::join!(feed, call(&mut sender, address, path, Messages(waiting)));
        answered.and(fed)
    })
}

fn run(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn connect<B>(address: SocketAddr) -> anyhow::Result<SendRequest<B>>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // It ends when the sender is dropped; its error reaches us through the sender.
    tokio::spawn(connection);
    Ok(sender)
}

async fn call<B>(sender: &mut SendRequest<B>, address: SocketAddr, path: &str, body: B) -> anyhow::Result<()>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let request = ::http::Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)?;
    let exchange = async {
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let trailers = body.collect().await?.trailers().cloned().unwrap_or_default();
        anyhow::Ok((head, trailers))
    };
    let (head, trailers) = tokio::time::timeout(TIMEOUT, exchange).await.with_context(|| path.to_owned())??;
    let said = |name: &str| trailers.get(name).or_else(|| head.headers.get(name)).and_then(|value| value.to_str().ok());
    let message = said("grpc-message").unwrap_or_default();
    ensure!(said("grpc-status") == Some("0"), "{path} answered {} {:?} {message}", head.status, said("grpc-status"));
    Ok(())
}

/// Messages of a stream, as they come.
struct Messages(tokio::sync::mpsc::Receiver<Bytes>);

impl Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|message| message.map(|bytes| Ok(Frame::data(bytes))))
    }
}
