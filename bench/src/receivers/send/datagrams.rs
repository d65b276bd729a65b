//! UDP: nobody says when it is too much, so the sender looks.
//!
//! What waits in the kernel for the server is in `/proc/net/udp`, what waits in the server for the disk is what was sent and
//! is not stored. Neither may come near its bound, so that nothing is dropped and the figure is that of the server.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::receivers::counts::Counts;
use crate::receivers::payload::Payload;

/// What the server asks of the kernel for its socket; it gets at most `net.core.rmem_max`, doubled for what the kernel itself
/// needs.
const ASKED_BYTES: u64 = 8 << 20;
/// What a datagram counts in the kernel is at most so much, and twice its size.
const OVERHEAD_BYTES: u64 = 2_304;
/// Records between two looks at the server, and how many may wait in it; it drops none of 16,384.
const LOOK: u64 = 2_048;
const AHEAD: u64 = 8_192;
const PAUSE: Duration = Duration::from_micros(200);
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends as fast as the server takes.
pub(super) fn paced(address: SocketAddr, counts: &Counts, payload: &Payload) -> anyhow::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    let most: u64 = read("/proc/sys/net/core/rmem_max")?.trim().parse()?;
    // A quarter waits at a look at most, and another is sent until the next one.
    let share = 2 * most.min(ASKED_BYTES) / 4;
    let (mut burst, mut sent, mut looked) = (0, 0_u64, 0);
    while let Some(request) = payload.next()? {
        socket.send(&request.bytes)?;
        sent += request.records;
        burst += OVERHEAD_BYTES + 2 * request.bytes.len() as u64;
        if burst >= share {
            burst = 0;
            let began = Instant::now();
            while queued(address.port())? > share {
                ensure!(began.elapsed() < PATIENCE, "the server does not receive");
                std::thread::sleep(PAUSE);
            }
        }
        if sent - looked >= LOOK {
            looked = sent;
            counts.wait(sent.saturating_sub(AHEAD), |_| Ok(()))?;
        }
    }
    Ok(())
}

/// Bytes that wait for the socket with this port of 127.0.0.1.
fn queued(port: u16) -> anyhow::Result<u64> {
    const PATH: &str = "/proc/net/udp";
    parse(&read(PATH)?, port).with_context(|| format!("{PATH} has no port {port}"))
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.to_owned())
}

fn parse(text: &str, port: u16) -> Option<u64> {
    let local = format!("0100007F:{port:04X}");
    let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(local.as_str()))?;
    let (_, waiting) = line.split_whitespace().nth(4)?.split_once(':')?;
    u64::from_str_radix(waiting, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_queue() {
        let text = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \x20 420: 00000000:1F90 00000000:0000 07 00000000:000000FF 00:00000000 00000000     0        0 1 2 0 0\n\
            \x20 421: 0100007F:1F90 00000000:0000 07 00000000:00000900 00:00000000 00000000     0        0 1 2 0 3\n";
        assert_eq!(parse(text, 8_080), Some(0x900));
        assert_eq!(parse(text, 8_081), None);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(queued(address.port()).unwrap(), 0);
        socket.send_to(&[0; 500], address).unwrap();
        assert!(queued(address.port()).unwrap() >= 500);
    }
}
