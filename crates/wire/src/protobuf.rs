//! Protobuf field by field, for messages whose parts could be more than memory should hold: two bytes of an empty part would be a
//! hundred as a structure.

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// What a field of a message has.
pub(crate) enum Content<'a> {
    Number(u64),
    /// Eight bytes, of a double or a number.
    Fixed(u64),
    /// A text, bytes, or a message.
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message, up to the first that cannot be read.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u32, Content<'_>), DecodeError>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let field = (!rest.is_empty()).then(|| next_field(&mut rest));
        if matches!(field, Some(Err(_))) {
            rest = &[];
        }
        field
    })
}

/// The number of the next field, and what it has.
pub(crate) fn next_field<'a>(rest: &mut &'a [u8]) -> Result<(u32, Content<'a>), DecodeError> {
    let (tag, wire_type) = decode_key(rest)?;
    let content = match wire_type {
        WireType::Varint => Content::Number(decode_varint(rest)?),
        WireType::LengthDelimited => {
            let len = decode_varint(rest)?;
            let split = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len));
            let Some((bytes, after)) = split else {
                return cut_short(tag);
            };
            *rest = after;
            Content::Bytes(bytes)
        }
        WireType::SixtyFourBit => match rest.split_first_chunk() {
            Some((bytes, after)) => {
                *rest = after;
                Content::Fixed(u64::from_le_bytes(*bytes))
            }
            None => return cut_short(tag),
        },
        _ => {
            skip_field(wire_type, tag, rest, DecodeContext::default())?;
            Content::Other
        }
    };
    Ok((tag, content))
}

/// prost's own error for a message that is cut short, which cannot be built from outside.
fn cut_short<'a>(tag: u32) -> Result<(u32, Content<'a>), DecodeError> {
    skip_field(WireType::SixtyFourBit, tag, &mut &[][..], DecodeContext::default())?;
    Ok((tag, Content::Other))
}
