//! MessagePack, as far as senders of logs write it.

use serde_json::Value;

/// A head whose short form has `bits` for the length, and whose longer ones follow from `long` on.
fn head(out: &mut Vec<u8>, short: u8, most_short: usize, long16: u8, length: usize) {
    if length <= most_short {
        out.push(short | length as u8);
    } else if length <= usize::from(u16::MAX) {
        out.push(long16);
        out.extend((length as u16).to_be_bytes());
    } else {
        out.push(long16 + 1);
        out.extend((length as u32).to_be_bytes());
    }
}

pub(super) fn array(out: &mut Vec<u8>, length: usize) {
    head(out, 0x90, 15, 0xdc, length);
}

pub(super) fn map(out: &mut Vec<u8>, length: usize) {
    head(out, 0x80, 15, 0xde, length);
}

pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ 32..256 => out.extend([0xd9, length as u8]),
        length => head(out, 0xa0, 31, 0xda, length),
    }
    out.extend(text.as_bytes());
}

pub(super) fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(0xc6);
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

pub(super) fn unsigned(out: &mut Vec<u8>, number: u64) {
    match number {
        0..128 => out.push(number as u8),
        _ => {
            out.push(0xcf);
            out.extend(number.to_be_bytes());
        }
    }
}

pub(super) fn signed(out: &mut Vec<u8>, number: i64) {
    out.push(0xd3);
    out.extend(number.to_be_bytes());
}

pub(super) fn double(out: &mut Vec<u8>, number: f64) {
    out.push(0xcb);
    out.extend(number.to_be_bytes());
}

pub(super) fn value(out: &mut Vec<u8>, json: &Value) {
    match json {
        Value::Null => out.push(0xc0),
        Value::Bool(truth) => out.push(0xc2 | u8::from(*truth)),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => unsigned(out, number),
            (None, Some(number)) => signed(out, number),
            (None, None) => double(out, number.as_f64().unwrap_or_default()),
        },
        Value::String(string) => text(out, string),
        Value::Array(values) => {
            array(out, values.len());
            values.iter().for_each(|one| value(out, one));
        }
        Value::Object(pairs) => {
            map(out, pairs.len());
            for (key, one) in pairs {
                text(out, key);
                value(out, one);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values() {
        for (json, expected) in [
            (json!([null, true, 5, -1]), b"\x94\xc0\xc3\x05\xd3\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
            (json!({"a": "b"}), b"\x81\xa1a\xa1b".to_vec()),
            (json!("x".repeat(40)), [b"\xd9\x28".as_slice(), &[b'x'; 40]].concat()),
            (json!("x".repeat(300)), [b"\xda\x01\x2c".as_slice(), &[b'x'; 300]].concat()),
            (json!(1.5), b"\xcb\x3f\xf8\0\0\0\0\0\0".to_vec()),
            (json!(300), b"\xcf\0\0\0\0\0\0\x01\x2c".to_vec()),
        ] {
            let mut out = Vec::new();
            value(&mut out, &json);
            assert_eq!(out, expected, "{json}");
        }
    }
}
