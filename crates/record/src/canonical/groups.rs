//! A record from the canonical bytes of its groups: what somebody reads who has a proof, and nothing else of ours.

use std::borrow::Cow;

use super::{DecodeError, Group, Reader, TAG_NULL, decode_resource, encode_group};
use crate::{Record, Severity, SpanId, TraceId, Value};

/// Which group has no canonical bytes, and why. Do not retry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("group {}: {cause}", *.group as u8)]
pub struct GroupError {
    /// The group.
    pub group: Group,
    /// What is wrong with its bytes.
    pub cause: DecodeError,
}

/// Reads a record back from the canonical bytes of its groups, in the order of [`Group::ALL`].
///
/// # Errors
/// [`GroupError`] for bytes that are not exactly those of the record which they say. Do not retry.
pub fn decode_record<'a>(groups: [&'a [u8]; 4]) -> Result<Record<'a>, GroupError> {
    let record = Record::new(0, Value::Null, decode_resource(groups[1]).map_err(of(Group::Resource))?);
    let record = decode_envelope(groups[0], record).map_err(of(Group::Envelope))?;
    let record = decode_body(groups[2], record).map_err(of(Group::Body))?;
    let record = decode_attributes(groups[3], record).map_err(of(Group::Attributes))?;
    let mut again = Vec::new();
    for (group, bytes) in Group::ALL.into_iter().zip(groups) {
        again.clear();
        encode_group(&record, group, &mut again);
        if again != bytes {
            let at = again.iter().zip(bytes).take_while(|(left, right)| left == right).count();
            return Err(of(group)(DecodeError { what: "another form than the canonical one", at }));
        }
    }
    Ok(record)
}

fn of(group: Group) -> impl Fn(DecodeError) -> GroupError {
    move |cause| GroupError { group, cause }
}

fn decode_envelope<'a>(bytes: &'a [u8], record: Record<'a>) -> Result<Record<'a>, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let record = Record {
        received_ns: time(&mut reader)?.ok_or_else(|| reader.fault("no time of arrival"))?,
        time_ns: time(&mut reader)?,
        observed_ns: time(&mut reader)?,
        severity: Severity::from_number(reader.array::<1>()?[0].into()),
        severity_text: Cow::Borrowed(reader.text()?),
        flags: u32::from_le_bytes(reader.array()?),
        trace_id: TraceId::new(reader.array()?),
        span_id: SpanId::new(reader.array()?),
        event_name: Cow::Borrowed(reader.text()?),
        dropped_attributes: u32::from_le_bytes(reader.array()?),
        ..record
    };
    finished(&reader).map(|()| record)
}

fn decode_body<'a>(bytes: &'a [u8], record: Record<'a>) -> Result<Record<'a>, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let body = reader.value(0)?;
    let original = match reader.value(0)? {
        Value::Null => None,
        Value::Str(text) => Some(text),
        _ => return Err(reader.fault("an original that is no text")),
    };
    finished(&reader).map(|()| Record { body, original, ..record })
}

fn decode_attributes<'a>(bytes: &'a [u8], record: Record<'a>) -> Result<Record<'a>, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let attributes = reader.pairs(0)?;
    finished(&reader).map(|()| Record { attributes, ..record })
}

fn finished(reader: &Reader<'_>) -> Result<(), DecodeError> {
    if reader.at == reader.bytes.len() { Ok(()) } else { Err(reader.fault("bytes left over")) }
}

fn time(reader: &mut Reader<'_>) -> Result<Option<i64>, DecodeError> {
    let is_there = reader.array::<1>()?[0] != TAG_NULL;
    let time_ns = i64::from_le_bytes(reader.array()?);
    Ok(is_there.then_some(time_ns))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::any_value;
    use super::*;
    use crate::Resource;

    fn groups_of(record: &Record<'_>) -> [Vec<u8>; 4] {
        Group::ALL.map(|group| {
            let mut bytes = Vec::new();
            encode_group(record, group, &mut bytes);
            bytes
        })
    }

    fn decoded(groups: &[Vec<u8>; 4]) -> Result<Record<'_>, GroupError> {
        decode_record([&groups[0], &groups[1], &groups[2], &groups[3]])
    }

    proptest! {
        #[test]
        fn records_come_back_exactly(
            body in any_value(), value in any_value(), text in ".*", numbers in any::<(i64, i64, u32, u8)>(),
            has in any::<[bool; 4]>(),
        ) {
            let mut record = Record::new(numbers.0, body, Resource::from_attributes(vec![("r".into(), value.clone())]));
            record.time_ns = has[0].then_some(numbers.1);
            record.observed_ns = has[1].then_some(numbers.0);
            record.original = has[2].then(|| text.clone().into());
            record.trace_id = TraceId::new([numbers.3; 16]);
            record.span_id = SpanId::new([numbers.3; 8]);
            record.severity = Severity::from_number(numbers.3.into());
            record.flags = numbers.2;
            record.dropped_attributes = numbers.2 / 2;
            record.event_name = text.clone().into();
            record.severity_text = text.into();
            record.attributes = vec![("a".into(), value.clone()), ("a".into(), value)];
            let groups = groups_of(&record);
            prop_assert_eq!(decoded(&groups).unwrap(), record);
            for (group, bytes) in groups.iter().enumerate() {
                let mut cut = groups.clone();
                cut[group].pop();
                prop_assert!(decoded(&cut).is_err());
                cut[group] = [bytes.as_slice(), &[0]].concat();
                prop_assert_eq!(decoded(&cut).unwrap_err().group, Group::ALL[group]);
            }
        }
    }

    #[test]
    fn there_is_one_form() {
        let groups = groups_of(&Record::new(1, Value::Null, Resource::from_attributes(vec![])));
        let refused = |at: usize, byte: u8| {
            let mut altered = groups.clone();
            altered[0][at] = byte;
            decoded(&altered).unwrap_err().to_string()
        };
        assert_eq!(refused(0, 0), "group 1: not a canonical value: no time of arrival at byte 9");
        // Another word for "there is a time", a time that is absent and not zero, a severity that there is not.
        assert_eq!(refused(0, 2), "group 1: not a canonical value: another form than the canonical one at byte 0");
        assert_eq!(refused(10, 1), "group 1: not a canonical value: another form than the canonical one at byte 10");
        assert_eq!(refused(27, 25), "group 1: not a canonical value: another form than the canonical one at byte 27");
    }
}
