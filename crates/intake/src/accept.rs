//! Connections of protocols that are not HTTP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::counters::{Protocol, add};
use crate::door::{Door, Keeper};
use crate::origin::{Origin, Peer};
use crate::receivers::{Port, Serve};
use crate::{Inner, Intake};

/// Counts a connection for as long as it lives.
struct Counted {
    inner: Arc<Inner>,
    protocol: Protocol,
}

impl Counted {
    fn new(intake: &Intake, protocol: Protocol) -> Self {
        add(&intake.inner.counters.of(protocol).connections, 1);
        Self { inner: intake.inner.clone(), protocol }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.inner.counters.of(self.protocol).connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Intake {
    /// Accepts connections of a port until `shutdown`, and returns when the last of them has ended.
    pub async fn serve_tcp(&self, door: Door, shutdown: CancellationToken) {
        let Some(Port { protocol, serve: Serve::Tcp(serve) | Serve::Tls(serve), .. }) = door.keeper.port else {
            return;
        };
        let mut connections = JoinSet::new();
        while let Some(caller) = door.next(&shutdown).await {
            while connections.try_join_next().is_some() {}
            let (intake, keeper, shutdown) = (self.clone(), door.keeper.clone(), shutdown.clone());
            connections.spawn(async move {
                let _counted = Counted::new(&intake, *protocol);
                if let Some(guest) = keeper.greet(caller, &shutdown).await
                    && let Some(origin) = intake.let_in(&guest.peer, *protocol, &keeper)
                {
                    serve(intake, Connection::new(guest, origin, keeper, shutdown)).await;
                }
            });
        }
        drop(door);
        while connections.join_next().await.is_some() {}
    }

    /// Whose records a connection brings; `None` if it may bring none.
    fn let_in(&self, peer: &Peer, protocol: Protocol, keeper: &Keeper) -> Option<Origin> {
        let has_key = protocol == Protocol::Forward && self.inner.options.forward.is_some();
        let origin = Origin::of(protocol, peer);
        match self.tenant_of_connection(peer, has_key) {
            Ok(tenant) => Some(origin.in_tenant(&tenant)),
            Err(refusal) => {
                self.turn_away(&origin, &refusal);
                keeper.refuse(peer, refusal.reason(), &refusal.message);
                None
            }
        }
    }

    /// Serves a UDP port until `shutdown`.
    pub async fn serve_udp(&self, port: &'static Port, socket: tokio::net::UdpSocket, shutdown: CancellationToken) {
        if let Serve::Udp(serve) = port.serve {
            serve(self.clone(), socket, shutdown).await;
        }
    }
}
