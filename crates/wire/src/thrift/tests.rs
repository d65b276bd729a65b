use proptest::prelude::*;

use super::*;

/// `emitBatch(struct {1: [3: 7 as i64, 4: "ab", 5: true, 6: 0.5, 7: [1, 2] as i32, 20: -2 as i16]})`
fn expected() -> Thrift<'static> {
    let fields = vec![
        (3, Thrift::Int(7)),
        (4, Thrift::Bytes(b"ab")),
        (5, Thrift::Bool(true)),
        (6, Thrift::Double(0.5)),
        (7, Thrift::List(vec![Thrift::Int(1), Thrift::Int(-2)])),
        (30, Thrift::Int(-2)),
    ];
    Thrift::Struct(vec![(1, Thrift::Struct(fields))])
}

const COMPACT: &[u8] = &[
    0x82, 0x81, 0x05, 9, b'e', b'm', b'i', b't', b'B', b'a', b't', b'c', b'h', // oneway, number 5
    0x1c, 0x36, 14, 0x18, 2, b'a', b'b', 0x11, 0x17, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0x19, 0x25, 2, 3, //
    0x04, 60, 3, 0, 0,
];

const BINARY: &[u8] = &[
    0x80, 1, 0, 4, 0, 0, 0, 9, b'e', b'm', b'i', b't', b'B', b'a', b't', b'c', b'h', 0, 0, 0, 5, //
    12, 0, 1, 10, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 11, 0, 4, 0, 0, 0, 2, b'a', b'b', 2, 0, 5, 1, //
    4, 0, 6, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0, 15, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe, //
    6, 0, 30, 0xff, 0xfe, 0, 0,
];

#[test]
fn both_protocols_say_the_same() {
    for bytes in [COMPACT, BINARY] {
        assert_eq!(call(bytes), Ok(Call { name: b"emitBatch", arguments: expected() }));
        for cut in 0..bytes.len() {
            assert!(call(&bytes[..cut]).is_err(), "{cut}");
        }
        assert_eq!(call(&[bytes, &[0]].concat()).unwrap_err().what, "bytes are left over");
    }
    // Without the version: name, type, sequence number.
    let old = [&BINARY[4..17], &[4, 0, 0, 0, 5], &BINARY[21..]].concat();
    assert_eq!(call(&old).unwrap().arguments, expected());
}

#[test]
fn no_count_is_believed() {
    for (bytes, what) in [
        (&[8, 0x7f, 0xff, 0xff, 0xff, 0][..], "more values than bytes"),
        (&[8, 0xff, 0xff, 0xff, 0xff], "a negative length"),
        (&[11, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff], "the message is cut off"),
        (&[0, 0, 0, 0, 1], "a list of nothing"),
        (&[99, 0, 0, 0, 1, 0], "an unknown type"),
    ] {
        assert_eq!(binary_list(bytes).unwrap_err().what, what, "{bytes:?}");
    }
    let deep = [15, 0, 0, 0, 1].repeat(100_000);
    assert_eq!(binary_list(&deep).unwrap_err().what, "nested too deeply");
    let many = [&[3][..], &(MAX_VALUES as u32).to_be_bytes(), &vec![0; MAX_VALUES]].concat();
    assert_eq!(binary_list(&many).unwrap_err().what, "too many values");
    let number = [0x82, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(call(&number).unwrap_err().what, "a number has too many bytes");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), compact: bool) {
        let head: &[u8] = if compact { &[0x82, 0x81, 0, 0] } else { b"" };
        let _ = call(&[head, &bytes].concat());
        let _ = binary_struct(&bytes);
        let _ = binary_list(&bytes);
    }
}
