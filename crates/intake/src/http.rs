//! HTTP/1.1 and HTTP/2 connections.
//!
//! Not by `axum::serve`, which ends a connection when its sender has ended its half of it, even if a whole request is there
//! that has not been looked at: some senders hang up as soon as they have sent. It also waits for ever for the head of a
//! request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// A sender that takes longer over the head of a request is not sending one.
const HEAD: Duration = Duration::from_secs(30);
/// An end of a connection that has nothing to say for so long, and does not answer when asked, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// Before accepting again when that failed, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Cancelled when the server stops: for requests that do not end by themselves.
#[derive(Clone)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// Serves connections until `stop`, and returns when their last requests are answered.
pub async fn serve_http(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().half_close(true).timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE);
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "answers may be late");
        }
        let (router, stopping) = (router.clone(), Stopping(stop.clone()));
        let service = service_fn(move |request| respond(router.clone(), peer, stopping.clone(), request));
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection broke off");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

async fn respond(
    mut router: Router,
    peer: SocketAddr,
    stopping: Stopping,
    request: Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(stopping);
    router.call(request).await
}
