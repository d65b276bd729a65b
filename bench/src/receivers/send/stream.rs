//! TCP: requests that are acknowledged, some of them ahead of their acks, and bytes that never are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::receivers::payload::Payload;

/// A server that says nothing for so long has gone.
const TIMEOUT: Duration = Duration::from_secs(120);
const OFFERS: &str = "relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog";

/// What both sides say before the first request.
pub(in crate::receivers) type Open = fn(&mut TcpStream, &mut BufReader<TcpStream>) -> anyhow::Result<()>;

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| address.to_string())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Sends at most `ahead` requests whose acks are not there yet. `still` is what a busy server says meanwhile.
pub(super) fn acked(
    address: SocketAddr,
    open: Option<Open>,
    still: &[u8],
    ahead: usize,
    payload: &Payload,
) -> anyhow::Result<()> {
    let mut stream = connect(address)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    if let Some(open) = open {
        open(&mut stream, &mut reader)?;
    }
    // The one whose ack is being read is no longer in the queue.
    let (sent, expected) = sync_channel(ahead - 1);
    std::thread::scope(|scope| {
        let hearing = scope.spawn(|| hear(reader, expected, still));
        let sending = (|| {
            while let Some(request) = payload.next()? {
                if sent.send(request.ack).is_err() {
                    break;
                }
                stream.write_all(&request.bytes)?;
            }
            anyhow::Ok(())
        })();
        drop(sent);
        if sending.is_err() {
            // No ack will come any more.
            stream.shutdown(Shutdown::Both)?;
        }
        hearing.join().map_err(|_| anyhow::anyhow!("the reading thread panicked"))?.and(sending)
    })
}

/// Reads the acks that are expected.
fn hear(mut reader: impl Read, expected: Receiver<Vec<u8>>, still: &[u8]) -> anyhow::Result<()> {
    for ack in expected {
        let mut said = vec![0; ack.len()];
        loop {
            reader.read_exact(&mut said).context("an ack")?;
            if said == ack {
                break;
            }
            ensure!(said == still, "`{}` is not the ack `{}`", said.escape_ascii(), ack.escape_ascii());
        }
    }
    Ok(())
}

/// Opens a session of RELP: both say what they know.
pub(in crate::receivers) fn relp_open(stream: &mut TcpStream, reader: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    stream.write_all(format!("1 open {} {OFFERS}\n", OFFERS.len()).as_bytes())?;
    let mut head = Vec::new();
    for _ in 0..3 {
        reader.by_ref().take(16).read_until(b' ', &mut head)?;
    }
    let head = String::from_utf8(head)?;
    let length: usize = head.trim().strip_prefix("1 rsp ").and_then(|length| length.parse().ok()).context(head)?;
    let mut said = vec![0; length.min(1 << 16) + 1];
    reader.read_exact(&mut said)?;
    ensure!(said.starts_with(b"200 "), "RELP was answered `{}`", said.escape_ascii());
    Ok(())
}

/// Says that nothing follows, and hears the server end: to close a socket with something unread in it, such as a ticket of
/// TLS, throws away what is still on its way.
fn end(mut stream: &TcpStream) -> anyhow::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    std::io::copy(&mut stream, &mut std::io::sink()).context("the end of the connection")?;
    Ok(())
}

/// Sends everything and ends.
pub(super) fn unanswered(address: SocketAddr, payload: &Payload) -> anyhow::Result<()> {
    let mut stream = connect(address)?;
    while let Some(request) = payload.next()? {
        stream.write_all(&request.bytes)?;
    }
    end(&stream)
}

/// The same over TLS.
pub(super) fn unanswered_tls(address: SocketAddr, authority: &Path, payload: &Payload) -> anyhow::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).with_context(|| authority.display().to_string())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let mut stream = StreamOwned::new(connection, connect(address)?);
    while let Some(request) = payload.next()? {
        stream.write_all(&request.bytes)?;
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    end(&stream.sock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &[u8], acks: &[&[u8]], expected: bool) {
        let (sender, receiver) = sync_channel(acks.len());
        acks.iter().for_each(|ack| sender.send(ack.to_vec()).unwrap());
        drop(sender);
        assert_eq!(hear(said, receiver, b"..").is_ok(), expected, "{said:?}");
    }

    #[test]
    fn only_the_expected_acks_are_acks() {
        check(b"", &[], true);
        check(b"okno", &[b"ok", b"no"], true);
        check(b"....ok", &[b"ok"], true);
        check(b"no", &[b"ok"], false);
        check(b"o", &[b"ok"], false);
    }
}
