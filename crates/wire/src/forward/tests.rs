use std::io::Write;

use logkeep_record::json;
use proptest::prelude::*;

use super::*;
use crate::msgpack::Extent;

/// `[1795168800 s + 5 ns]` as an EventTime, and a record `{"m": n}`.
const EVENT_TIME: &[u8] = b"\xd7\x00\x6b\x00\x24\x20\x00\x00\x00\x05";

fn record(n: u8) -> Vec<u8> {
    vec![0x81, 0xa1, b'm', n]
}

/// An event with this time slot.
fn event(time: &[u8], n: u8) -> Vec<u8> {
    [b"\x92".as_slice(), time, &record(n)].concat()
}

fn bin(bytes: &[u8]) -> Vec<u8> {
    [b"\xc5".as_slice(), &(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// `time body +metadata` of each event, or why it is none.
fn shown(message_bytes: &[u8]) -> String {
    assert_eq!(Extent::new(1 << 20).find(message_bytes), Ok(Some(message_bytes.len())));
    let message = match message(message_bytes) {
        Ok(Some(message)) => message,
        Ok(None) => return "heartbeat".to_owned(),
        Err(error) => return error.to_string(),
    };
    let body = match message.body(10_000) {
        Ok(body) => body,
        Err(error) => return error.to_string(),
    };
    let mut out = message.chunk.map_or(String::new(), |chunk| format!("{}: ", String::from_utf8_lossy(chunk)));
    for event in message.events(&body, 7) {
        match event {
            Ok(record) => {
                out.push_str(&format!("{} ", record.time_ns.unwrap_or(0)));
                json::write(&record.body, &mut out);
                assert_eq!(record.attribute("fluent.tag").unwrap().as_str(), Some(&*message.tag));
                if let Some(metadata) = record.attribute("fluent.metadata") {
                    out.push('+');
                    json::write(metadata, &mut out);
                }
                if let Some(name) = record.resource.attribute("service.name") {
                    out.push('@');
                    json::write(name, &mut out);
                }
            }
            Err(error) => out.push_str(&error),
        }
        out.push(' ');
    }
    out.trim_end().to_owned()
}

fn check(parts: &[&[u8]], expected: &str) {
    assert_eq!(shown(&parts.concat()), expected);
}

const AT: &str = "1795171360000000005";

#[test]
fn four_modes() {
    let events = [event(EVENT_TIME, 1), event(b"\xce\x6b\x00\x24\x20", 2)].concat();
    let both = format!("{AT} {{\"m\":1}} 1795171360000000000 {{\"m\":2}}");
    check(&[b"\x93\xa1t", EVENT_TIME, &record(1)], &format!("{AT} {{\"m\":1}}"));
    check(&[b"\x94\xa1t\xce\x6b\x00\x24\x20", &record(1), b"\x80"], "1795171360000000000 {\"m\":1}");
    check(&[b"\x92\xa1t\x92", &events], &both);
    check(&[b"\x93\xa1t\x92", &events, b"\x81\xa5chunk\xa2c1"], &format!("c1: {both}"));
    check(&[b"\x92\xa1t", &bin(&events)], &both);
    let as_text = [b"\xda".as_slice(), &(events.len() as u16).to_be_bytes(), &events].concat();
    check(&[b"\x93\xa1t", &as_text, b"\xc0"], &both);
    let mut members = Vec::new();
    for event in [event(EVENT_TIME, 1), event(b"\xce\x6b\x00\x24\x20", 2)] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&event).unwrap();
        members.extend(gzip.finish().unwrap());
    }
    let gzip = b"\x83\xaacompressed\xa4gzip\xa5chunk\xa2c1\xa4size\xcd\x00\x63";
    check(&[b"\x93\xa1t", &bin(&members), gzip], &format!("c1: {both}"));
    let zstd = zstd::stream::encode_all(events.as_slice(), 3).unwrap();
    check(&[b"\x93\xa1t", &bin(&zstd), b"\x81\xaacompressed\xa4zstd"], &both);
}

#[test]
fn forms_of_time() {
    let one = |time: &[u8], expected: &str| check(&[b"\x92\xa1t\x91", &event(time, 1)], expected);
    one(b"\xc7\x08\x00\x6b\x00\x24\x20\x00\x00\x00\x05", &format!("{AT} {{\"m\":1}}"));
    one(b"\xcb\x41\xda\xc0\x09\x08\x20\x00\x00", "1795171360500000000 {\"m\":1}");
    one(b"\x00", "0 {\"m\":1}");
    one(b"\xa1x", "not MessagePack as expected at byte 2: expected a time, found a string");
    one(b"\xd6\x00\x00\x00\x00\x01", "not MessagePack as expected at byte 6: a time of 4 bytes");
}

#[test]
fn the_dialect_of_fluent_bit() {
    let time = [b"\x92".as_slice(), EVENT_TIME, b"\x80"].concat();
    let with_metadata = [b"\x92".as_slice(), EVENT_TIME, b"\x81\xa1k\xa1v"].concat();
    let events = [event(&time, 1), event(&with_metadata, 2)].concat();
    let both = format!("{AT} {{\"m\":1}} {AT} {{\"m\":2}}+{{\"k\":\"v\"}}");
    check(&[b"\x92\xa1t\x92", &events], &both);
    check(&[b"\x92\xa1t", &bin(&events)], &both);
    check(&[b"\x93\xa1t", &with_metadata, &record(2)], &format!("{AT} {{\"m\":2}}+{{\"k\":\"v\"}}"));
    // What stands around records that came as OTLP is their resource, and no record.
    let group = b"\x81\xa8resource\x81\xaaattributes\x81\xacservice.name\xa3web";
    let start = [b"\x92\x92\xd7\x00\xff\xff\xff\xff\x00\x00\x00\x00\x80".as_slice(), group].concat();
    let end = b"\x92\x92\xd7\x00\xff\xff\xff\xfe\x00\x00\x00\x00\x80\x80".as_slice();
    let events = [&start, event(&time, 1).as_slice(), end, &event(&time, 2)].concat();
    check(&[b"\x92\xa1t", &bin(&events)], &format!("{AT} {{\"m\":1}}@\"web\" {AT} {{\"m\":2}}"));
    let metrics = message(b"\x93\xa1t\xc4\x01x\x81\xadfluent_signal\x01").unwrap().unwrap();
    assert!(!metrics.is_logs());
}

#[test]
fn a_body_of_events_alone() {
    let time = [b"\x92".as_slice(), EVENT_TIME, b"\x80"].concat();
    let body = [event(&time, 1), event(EVENT_TIME, 2)].concat();
    assert!(is_events(&body) && !is_events(b"[{}]") && !is_events(b""));
    let records: Vec<_> = events(&body, 7).map(Result::unwrap).collect();
    let shown: Vec<_> =
        records.iter().map(|record| (record.time_ns.unwrap().to_string(), &record.attributes)).collect();
    assert_eq!(shown, [(AT.to_owned(), &Vec::new()), (AT.to_owned(), &Vec::new())]);
}

#[test]
fn one_bad_event_costs_only_itself() {
    let events = [event(EVENT_TIME, 1), b"\x2a".to_vec(), event(b"\xc0", 1), event(EVENT_TIME, 2)].concat();
    let expected = format!(
        "{AT} {{\"m\":1}} not MessagePack as expected at byte 1: expected an event, found an integer \
         not MessagePack as expected at byte 1: expected a time, found nil {AT} {{\"m\":2}}"
    );
    check(&[b"\x92\xa1t\x94", &events], &expected);
    check(&[b"\x92\xa1t", &bin(&events)], &expected);
    let cut = [event(EVENT_TIME, 1), b"\x92\xd7\x00".to_vec()].concat();
    let expected = format!("{AT} {{\"m\":1}} not MessagePack as expected at byte 15: it ends in the middle of a value");
    check(&[b"\x92\xa1t", &bin(&cut)], &expected);
}

#[test]
fn what_is_no_message() {
    let fault = |at: usize, what: &str| format!("not MessagePack as expected at byte {at}: {what}");
    check(&[b"\xc0"], "heartbeat");
    check(&[b"\x2a"], &fault(1, "expected a message, found an integer"));
    check(&[b"\x91\xa1t"], &fault(1, "a message of 1 parts"));
    check(&[b"\x92\x01\x90"], &fault(2, "expected a tag, found an integer"));
    check(&[b"\x92\xa1t\x80"], &fault(4, "expected events"));
    check(&[b"\x93\xa1t\xc4\x01x\x01"], &fault(7, "expected options, found an integer"));
    let bomb = zstd::stream::encode_all([0_u8; 20_000].as_slice(), 3).unwrap();
    let expected = "the body is larger than 10000 bytes when decompressed; send smaller batches";
    check(&[b"\x93\xa1t", &bin(&bomb), b"\x81\xaacompressed\xa4zstd"], expected);
}

#[test]
fn acks_and_handshakes() {
    assert_eq!(ack(b"c1"), b"\x81\xa3ack\xa2c1");
    // A salt that is no text, as Fluent Bit sends it.
    let (nonce, salt) = ([1; 16], [0xff; 16]);
    use sha2::{Digest as _, Sha512};
    let digest = |parts: &[&[u8]]| hex::encode(Sha512::digest(parts.concat()));
    let key = digest(&[&salt, b"web-1", &nonce, b"secret"]);
    let password = digest(&[b"pepper", b"ann", b"pass"]);
    let mut bytes = vec![0x96];
    for part in [b"PING".as_slice(), b"web-1", &salt, key.as_bytes(), b"ann", password.as_bytes()] {
        write_str(part, &mut bytes);
    }
    let ping = handshake::ping(&bytes).unwrap();
    assert!(ping.knows_key(&nonce, b"secret") && ping.knows_password(b"pepper", b"pass"));
    assert!(!ping.knows_key(&nonce, b"Secret") && !ping.knows_key(&[2; 16], b"secret"));
    assert!(!ping.knows_password(b"pepper", b"wrong") && !ping.knows_password(b"", b"pass"));
    let mut reader = Reader::new(&ping.accepted("logs", &nonce, b"secret")).value(0).map(|pong| {
        let mut out = String::new();
        json::write(&pong, &mut out);
        out
    });
    let expected = digest(&[&salt, b"logs", &nonce, b"secret"]);
    assert_eq!(reader.as_mut().unwrap(), &format!("[\"PONG\",true,\"\",\"logs\",\"{expected}\"]"));
    assert!(handshake::ping(&bytes[1..]).is_err() && handshake::ping(b"\x91\xa4PING").is_err());
}

proptest! {
    #[test]
    fn junk_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Some(message)) = message(&bytes)
            && let Ok(body) = message.body(10_000)
        {
            message.events(&body, 7).for_each(drop);
        }
        let _ = handshake::ping(&bytes);
    }
}
