//! GELF, Graylog's extended log format (<https://go2docs.graylog.org/current/getting_in_log_data/gelf.html>).
//!
//! A JSON document, compressed or not; over UDP in up to 128 pieces that have five seconds to arrive. Memory for pieces is
//! bounded, because anyone can send the first piece of a message that never comes.
//!
//! Not here: sockets (`intake`), what the fields mean (`normalize`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value, limits};

use crate::compress::{decompress, is_compressed};
use crate::frame::Frame;
use crate::{documents, ndjson};

/// The first bytes of a piece.
const MAGIC: [u8; 2] = [0x1e, 0x0f];
const HEAD_BYTES: usize = 12;
const MAX_PIECES: u8 = 128;
/// Time that the pieces of a message have, from its first.
const COMPLETE_WITHIN_NS: i64 = 5_000_000_000;
/// Messages that may be in pieces at once, and what their pieces may hold.
const MAX_MESSAGES: usize = 4_096;
const MAX_BYTES: usize = 64 << 20;

/// The record of a message. Fields of the sender's own lose the underscore that marks them.
pub fn record<'a>(message: &Frame<'a>, received_ns: i64, resource: Arc<Resource>) -> Record<'a> {
    let mut record = ndjson::framed(message, received_ns, resource);
    own_fields(&mut record);
    record
}

/// The record of a document that came over HTTP.
pub fn document(document: &str, received_ns: i64, resource: Arc<Resource>) -> Record<'_> {
    let mut record = documents::record(document, received_ns, resource);
    own_fields(&mut record);
    record
}

fn own_fields(record: &mut Record<'_>) {
    let Value::Map(pairs) = &mut record.body else { return };
    pairs.retain(|(key, _)| key != "version");
    for (key, _) in pairs {
        if let Some(name) = key.strip_prefix('_').filter(|name| !name.is_empty()) {
            *key = Cow::Owned(name.to_owned());
        }
    }
}

/// A message in pieces.
#[derive(Debug)]
struct Parts {
    since_ns: i64,
    bytes: usize,
    missing: u8,
    pieces: Vec<Option<Box<[u8]>>>,
}

/// Puts the datagrams of all senders together to messages.
#[derive(Debug, Default)]
pub struct Assembler {
    parts: HashMap<(IpAddr, [u8; 8]), Parts>,
    bytes: usize,
}

/// What became of a datagram.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Assembled<'a> {
    /// The message that it is, or completes, decompressed.
    pub message: Option<Cow<'a, [u8]>>,
    /// Messages given up: incomplete in time, over the bounds, or not to be decompressed.
    pub lost: usize,
}

impl Assembler {
    /// Takes a datagram.
    pub fn take<'a>(&mut self, datagram: &'a [u8], source: IpAddr, now_ns: i64) -> Assembled<'a> {
        if !datagram.starts_with(&MAGIC) {
            return opened(Cow::Borrowed(datagram), 0);
        }
        let lost = self.expire(now_ns);
        match self.piece(datagram, source, now_ns) {
            Ok(Some(whole)) => opened(Cow::Owned(whole), lost),
            Ok(None) => Assembled { message: None, lost },
            Err(()) => Assembled { message: None, lost: lost + 1 },
        }
    }

    /// The message that this piece completes. `Err` if it can be no part of one that ever will be.
    fn piece(&mut self, datagram: &[u8], source: IpAddr, now_ns: i64) -> Result<Option<Vec<u8>>, ()> {
        let Some((head, content)) = datagram.split_at_checked(HEAD_BYTES) else { return Err(()) };
        let (place, count) = (head[10], head[11]);
        if count == 0 || count > MAX_PIECES || place >= count {
            return Err(());
        }
        let id = head[2..10].try_into().map_err(|_| ())?;
        let is_new = !self.parts.contains_key(&(source, id));
        if is_new && self.parts.len() >= MAX_MESSAGES || self.bytes + content.len() > MAX_BYTES {
            return Err(());
        }
        let parts = self.parts.entry((source, id)).or_insert_with(|| Parts {
            since_ns: now_ns,
            bytes: 0,
            missing: count,
            pieces: vec![None; usize::from(count)],
        });
        if parts.pieces.len() != usize::from(count) {
            return Err(());
        }
        let piece = &mut parts.pieces[usize::from(place)];
        // A datagram may arrive twice.
        if piece.is_none() {
            *piece = Some(content.into());
            parts.bytes += content.len();
            parts.missing -= 1;
            self.bytes += content.len();
        }
        if parts.missing > 0 {
            return Ok(None);
        }
        let parts = self.parts.remove(&(source, id)).ok_or(())?;
        self.bytes -= parts.bytes;
        Ok(Some(parts.pieces.into_iter().flatten().collect::<Vec<_>>().concat()))
    }

    /// Gives up messages that are late; says how many.
    fn expire(&mut self, now_ns: i64) -> usize {
        let before = self.parts.len();
        let mut freed = 0;
        self.parts.retain(|_, parts| {
            let kept = now_ns.saturating_sub(parts.since_ns) < COMPLETE_WITHIN_NS;
            freed += if kept { 0 } else { parts.bytes };
            kept
        });
        self.bytes -= freed;
        before - self.parts.len()
    }
}

/// Decompresses what looks compressed; anything else is taken as it is.
fn opened(message: Cow<'_, [u8]>, lost: usize) -> Assembled<'_> {
    if !is_compressed(&message) {
        return Assembled { message: Some(message), lost };
    }
    let max_bytes = 4 * limits::record_bytes();
    match decompress(&message, "deflate", max_bytes).map(Cow::into_owned) {
        Ok(message) => Assembled { message: Some(Cow::Owned(message)), lost },
        Err(_) => Assembled { message: None, lost: lost + 1 },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use logkeep_record::json;
    use proptest::prelude::*;

    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn piece(id: u8, place: u8, count: u8, content: &str) -> Vec<u8> {
        [MAGIC.as_slice(), &[id; 8], &[place, count], content.as_bytes()].concat()
    }

    fn said(assembled: Assembled<'_>) -> String {
        let message =
            assembled.message.map_or("-".to_owned(), |message| String::from_utf8_lossy(&message).into_owned());
        format!("{message} {}", assembled.lost)
    }

    #[test]
    fn fields() {
        let text = r#"{"version":"1.1","host":"web-1","short_message":"hi","_service":"pay","_":1}"#;
        let expected = r#"{"host":"web-1","short_message":"hi","service":"pay","_":1}"#;
        let resource = Resource::from_attributes(Vec::new());
        for record in [record(&Frame::new(text.as_bytes()), 7, resource.clone()), document(text, 7, resource.clone())] {
            let mut out = String::new();
            json::write(&record.body, &mut out);
            assert_eq!((out.as_str(), record.original.as_deref()), (expected, Some(text)));
        }
    }

    #[test]
    fn pieces_in_any_order_of_several_senders() {
        let mut assembler = Assembler::default();
        let mut take = |source, bytes: &[u8]| said(assembler.take(bytes, source, 0));
        assert_eq!(take(A, &piece(1, 1, 2, "b}")), "- 0");
        assert_eq!(take(B, &piece(1, 1, 2, "d}")), "- 0");
        assert_eq!(take(A, &piece(1, 1, 2, "b}")), "- 0");
        assert_eq!(take(A, b"{plain}"), "{plain} 0");
        assert_eq!(take(A, &piece(1, 0, 2, "{a")), "{ab} 0");
        assert_eq!(take(B, &piece(1, 0, 2, "{c")), "{cd} 0");
        assert_eq!((assembler.bytes, assembler.parts.len()), (0, 0));
    }

    #[test]
    fn what_never_gets_complete() {
        let mut assembler = Assembler::default();
        assert_eq!(said(assembler.take(&piece(1, 0, 2, "a"), A, 0)), "- 0");
        assert_eq!(said(assembler.take(&piece(2, 0, 2, "a"), A, COMPLETE_WITHIN_NS)), "- 1");
        for bad in [piece(3, 0, 0, ""), piece(3, 0, 129, ""), piece(3, 2, 2, ""), MAGIC.to_vec()] {
            assert_eq!(said(assembler.take(&bad, A, COMPLETE_WITHIN_NS)), "- 1");
        }
        // Another number of pieces than was said before.
        assert_eq!(said(assembler.take(&piece(2, 1, 3, "b"), A, COMPLETE_WITHIN_NS)), "- 1");
        let mut lost = 0;
        for n in 0..MAX_MESSAGES + 10 {
            let id = (n as u64).to_be_bytes();
            let bytes = [MAGIC.as_slice(), &id, &[0, 2], b"x"].concat();
            lost += assembler.take(&bytes, B, COMPLETE_WITHIN_NS).lost;
        }
        assert_eq!((lost, assembler.parts.len()), (11, MAX_MESSAGES));
        assert_eq!(assembler.take(&piece(9, 0, 2, ""), A, 3 * COMPLETE_WITHIN_NS).lost, MAX_MESSAGES);
    }

    #[test]
    fn compressed_and_bombs() {
        let mut assembler = Assembler::default();
        let pack = |plain: &[u8], gzip: bool| {
            let level = flate2::Compression::fast();
            if gzip {
                let mut out = flate2::write::GzEncoder::new(Vec::new(), level);
                out.write_all(plain).unwrap();
                out.finish().unwrap()
            } else {
                let mut out = flate2::write::ZlibEncoder::new(Vec::new(), level);
                out.write_all(plain).unwrap();
                out.finish().unwrap()
            }
        };
        let (gzip, zlib, bomb) = (pack(b"{g}", true), pack(b"{z}", false), pack(&vec![b' '; 8 << 20], true));
        let (front, back) = zlib.split_at(4);
        let piece = |place, content: &[u8]| [MAGIC.as_slice(), &[7; 8], &[place, 2], content].concat();
        assert_eq!(said(assembler.take(&gzip, A, 0)), "{g} 0");
        assert_eq!(said(assembler.take(&piece(0, front), A, 0)), "- 0");
        assert_eq!(said(assembler.take(&piece(1, back), A, 0)), "{z} 0");
        assert_eq!(said(assembler.take(&bomb, A, 0)), "- 1");
        assert_eq!(said(assembler.take(&gzip[..9], A, 0)), "- 1");
    }

    proptest! {
        #[test]
        fn junk_never_panics_and_bytes_add_up(datagrams in proptest::collection::vec((0..3_u8, 0..4_u8, 0..4_u8, "[a-z]{0,5}"), 0..60)) {
            let mut assembler = Assembler::default();
            for (now, (id, place, count, content)) in datagrams.into_iter().enumerate() {
                assembler.take(&piece(id, place, count, &content), A, now as i64 * 1_000_000_000);
                let held: usize = assembler.parts.values().map(|parts| parts.bytes).sum();
                prop_assert_eq!(held, assembler.bytes);
            }
        }
    }
}
