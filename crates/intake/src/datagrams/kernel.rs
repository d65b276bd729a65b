//! Datagrams that the kernel had no room for, before anybody here saw them.
//!
//! Whose they were and what was in them nobody knows, but the kernel counts them for each socket, and shows that in a file.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Fields of a line of `/proc/net/udp` (`udp4_format_sock` in the kernel's net/ipv4/udp.c), from 0.
const INODE: usize = 9;
const DROPS: usize = 12;

/// What the kernel has dropped of one socket.
#[derive(Debug)]
pub(super) struct KernelDrops {
    inode: u64,
    file: &'static str,
    counted: u32,
}

impl KernelDrops {
    /// `None` where the system does not say.
    pub(super) fn of(socket: &tokio::net::UdpSocket) -> Option<Self> {
        let file = if socket.local_addr().ok()?.is_ipv4() { "/proc/self/net/udp" } else { "/proc/self/net/udp6" };
        let descriptor = format!("/proc/self/fd/{}", socket.as_fd().as_raw_fd());
        let inode = std::fs::metadata(Path::new(&descriptor)).ok()?.ino();
        let drops = Self { inode, file, counted: 0 };
        drops.total().map(|_| drops)
    }

    /// Datagrams dropped since the last call, or since the socket was opened.
    pub(super) fn more(&mut self) -> usize {
        let Some(total) = self.total() else { return 0 };
        // The kernel's number begins anew after 2^32.
        let more = total.wrapping_sub(self.counted);
        self.counted = total;
        more as usize
    }

    fn total(&self) -> Option<u32> {
        drops(BufReader::new(File::open(self.file).ok()?), self.inode)
    }
}

fn drops(lines: impl BufRead, inode: u64) -> Option<u32> {
    lines.lines().map_while(Result::ok).find_map(|line| {
        let field = |place: usize| line.split_ascii_whitespace().nth(place);
        if field(INODE)?.parse() == Ok(inode) { field(DROPS)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_file() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \x20 420: 00000000:1F90 00000000:0000 07 00000000:000000FF 00:00000000 00000000     0        0 11 2 0 0\n\
            \x20 421: 0100007F:1F90 00000000:0000 07 00000000:00000900 00:00000000 00000000     0        0 12 2 0 4294967295\n\
            \x20 422: short\n";
        assert_eq!(drops(text.as_bytes(), 11), Some(0));
        assert_eq!(drops(text.as_bytes(), 12), Some(u32::MAX));
        assert_eq!(drops(text.as_bytes(), 13), None);
    }

    #[tokio::test]
    async fn what_is_dropped_is_counted_once() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = tokio::net::UdpSocket::bind(address).await else { continue };
            let mut drops = KernelDrops::of(&socket).unwrap();
            assert_eq!(drops.more(), 0);
            socket2::SockRef::from(&socket).set_recv_buffer_size(4_096).unwrap();
            let sender = tokio::net::UdpSocket::bind(address).await.unwrap();
            let sent = 200;
            for _ in 0..sent {
                sender.send_to(&[0; 1_000], socket.local_addr().unwrap()).await.unwrap();
            }
            let dropped = drops.more();
            let mut received = 0;
            while socket.try_recv(&mut [0; 2_000]).is_ok() {
                received += 1;
            }
            assert!(dropped > 0);
            assert_eq!(received + dropped, sent, "{address}");
            assert_eq!(drops.more(), 0);
        }
    }
}
