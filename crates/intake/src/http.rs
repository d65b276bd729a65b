//! HTTP/1.1 and HTTP/2 connections.
//!
//! Not by `axum::serve`, which ends a connection when its sender has ended its half of it, even if a whole request is there
//! that has not been looked at: some senders hang up as soon as they have sent. It also waits for ever for the head of a
//! request.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::door::{Door, Guest};
use crate::origin::Peer;

/// A sender that takes longer over the head of a request is not sending one.
const HEAD: Duration = Duration::from_secs(30);
/// An end of a connection that has nothing to say for so long, and does not answer when asked, is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Cancelled when the server stops: for requests that do not end by themselves.
#[derive(Clone)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// Serves connections until `stop`, and returns when their last requests are answered.
pub async fn serve_http(door: Door, router: Router, stop: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().half_close(true).timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE);
    let connections = GracefulShutdown::new();
    while let Some(caller) = door.next(&stop).await {
        let (keeper, builder, router, stop) = (door.keeper.clone(), builder.clone(), router.clone(), stop.clone());
        let watcher = connections.watcher();
        tokio::spawn(async move {
            let Some(Guest { io, peer, seat }) = keeper.greet(caller, &stop).await else { return };
            // How many have said who they are is not bounded here: each of their requests waits for its place.
            drop(seat);
            let (address, stopping) = (peer.address, Stopping(stop));
            let service = service_fn(move |request| respond(router.clone(), peer.clone(), stopping.clone(), request));
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(io), service).into_owned();
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(peer = %address, %error, "a connection broke off");
            }
        });
    }
    drop(door);
    connections.shutdown().await;
}

async fn respond(
    mut router: Router,
    peer: Peer,
    stopping: Stopping,
    request: Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(stopping);
    router.call(request).await
}
