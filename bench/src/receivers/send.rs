//! How requests reach a receiver, on as many connections as its usual sender has, and how it is known that they did.

mod datagrams;
mod grpc;
mod http;
mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;

use super::cases::{Case, Way};
use super::counts::Counts;
use super::payload::Payload;
pub(super) use stream::{Open, relp_open};

/// Where to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// Who vouches for the server, where it speaks TLS.
    pub(super) authority: PathBuf,
    pub(super) counts: Counts,
}

/// Sends everything, and returns once all of `lines` records are stored.
pub(super) fn send(case: &Case, target: &Target, payload: &Payload, lines: u64) -> anyhow::Result<()> {
    let outcomes: Vec<anyhow::Result<()>> = std::thread::scope(|scope| {
        let open = |_| {
            scope.spawn(|| {
                let outcome = connection(case, target, payload);
                if outcome.is_err() {
                    payload.stop();
                }
                outcome
            })
        };
        let connections: Vec<_> = (0..case.connections).map(open).collect();
        let joined = connections.into_iter().map(|connection| connection.join());
        joined.map(|outcome| outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("a sending thread panicked")))).collect()
    });
    outcomes.into_iter().collect::<anyhow::Result<()>>()?;
    if case.way.is_answered() {
        return Ok(());
    }
    target.counts.wait(lines, |_| Ok(()))
}

fn connection(case: &Case, target: &Target, payload: &Payload) -> anyhow::Result<()> {
    let url = |path: &str| format!("http://{}{path}", target.address);
    match &case.way {
        Way::Http { path, headers } => http::requests(&url(path), headers, payload),
        Way::Upload { path, headers } => http::upload(&url(path), headers, payload),
        Way::Grpc { path } => grpc::calls(target.address, path, payload),
        Way::GrpcStream { path, first } => grpc::stream(target.address, path, first(), payload),
        Way::Acked { open, still, ahead, .. } => stream::acked(target.address, *open, still, *ahead, payload),
        Way::Unanswered => stream::unanswered(target.address, payload),
        Way::UnansweredTls => stream::unanswered_tls(target.address, &target.authority, payload),
        Way::Datagrams => datagrams::paced(target.address, &target.counts, payload),
    }
}
