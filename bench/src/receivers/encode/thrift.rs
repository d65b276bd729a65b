//! Thrift's binary protocol, as far as Jaeger's clients write it.

const BOOL: u8 = 2;
const I32: u8 = 8;
const I64: u8 = 10;
const TEXT: u8 = 11;
const STRUCT: u8 = 12;
const LIST: u8 = 15;

/// The end of a struct.
pub(super) fn end(out: &mut Vec<u8>) {
    out.push(0);
}

fn field(out: &mut Vec<u8>, kind: u8, number: i16) {
    out.push(kind);
    out.extend(number.to_be_bytes());
}

pub(super) fn truth(out: &mut Vec<u8>, number: i16, value: bool) {
    field(out, BOOL, number);
    out.push(value.into());
}

pub(super) fn int32(out: &mut Vec<u8>, number: i16, value: i32) {
    field(out, I32, number);
    out.extend(value.to_be_bytes());
}

pub(super) fn int64(out: &mut Vec<u8>, number: i16, value: i64) {
    field(out, I64, number);
    out.extend(value.to_be_bytes());
}

pub(super) fn text(out: &mut Vec<u8>, number: i16, value: &str) {
    field(out, TEXT, number);
    out.extend((value.len() as u32).to_be_bytes());
    out.extend(value.as_bytes());
}

/// Begins a struct in a field.
pub(super) fn structure(out: &mut Vec<u8>, number: i16) {
    field(out, STRUCT, number);
}

/// Begins a list of structs in a field.
pub(super) fn structures(out: &mut Vec<u8>, number: i16, length: usize) {
    field(out, LIST, number);
    out.push(STRUCT);
    out.extend((length as u32).to_be_bytes());
}
