//! The message templates of rows: a list, and the numbers by which the column `template` points into it.
//!
//! They are found while a segment is written (`mining.rs`) and carried on when segments are merged. They are derived: no proof rests on
//! them, and they could be found anew.

use logkeep_pattern::{ALIASES, Listed, Merged, StreamKey, Template, TemplateId};
use logkeep_record::{Resource, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::payload::{put_list, take_list};

/// A template that some rows have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whose it is, what it is called, its text, and how many rows have it.
    pub listed: Listed,
    /// The earliest time of a row that has it, nanoseconds.
    pub first_ns: i64,
}

/// The templates of some rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates {
    list: Vec<Known>,
    /// For each number in the column, the place in the list.
    places: Vec<u32>,
}

/// Whose templates those of a record are: its service's, whatever host or pod it ran on, so that a service has one list.
pub fn stream_key(resource: &Resource) -> StreamKey {
    let text = |key| resource.attribute(key).and_then(Value::as_str).unwrap_or_default();
    let names = [text("service.namespace"), text("service.name")].join("\0");
    StreamKey(xxh3_64(names.as_bytes()))
}

impl Templates {
    /// A list, and for each number in the column the place in it.
    pub(crate) fn new(list: Vec<Known>, places: Vec<u32>) -> Self {
        Self { list, places }
    }

    /// All of them, by stream and id.
    pub fn list(&self) -> &[Known] {
        &self.list
    }

    /// The place in the list of what a number in the column stands for.
    pub fn place(&self, number: u32) -> Option<usize> {
        self.places.get(number as usize).map(|place| *place as usize).filter(|place| *place < self.list.len())
    }

    /// How many numbers there are.
    pub fn numbers(&self) -> usize {
        self.places.len()
    }

    /// Bytes of memory, about.
    pub fn memory_bytes(&self) -> usize {
        let of_one = |known: &Known| {
            size_of::<Known>() + known.listed.aliases.len() * size_of::<TemplateId>() + known.listed.template.bytes()
        };
        self.list.iter().map(of_one).sum::<usize>() + self.places.len() * size_of::<u32>()
    }

    /// The templates of several rows as one list, and for each of the inputs what its numbers are now.
    pub(crate) fn merged(inputs: &[&Self]) -> (Self, Vec<Vec<u32>>) {
        let mut merged = Merged::new();
        inputs.iter().for_each(|input| merged.add(input.list.iter().map(|known| known.listed.clone())));
        let (list, places) = merged.finish();
        let mut first_ns = vec![i64::MAX; list.len()];
        for (input, places) in inputs.iter().zip(&places) {
            for (known, place) in input.list.iter().zip(places) {
                let first = &mut first_ns[*place as usize];
                *first = known.first_ns.min(*first);
            }
        }
        let numbers = inputs.iter().zip(&places).map(|(input, places)| {
            let now = |place: &u32| places.get(*place as usize).copied().unwrap_or_default();
            input.places.iter().map(now).collect()
        });
        let numbers = numbers.collect();
        let places = (0..list.len() as u32).collect();
        let known = |(listed, first_ns)| Known { listed, first_ns };
        (Self { list: list.into_iter().zip(first_ns).map(known).collect(), places }, numbers)
    }

    /// One zstd frame: the list, then the places.
    pub(crate) fn encode(&self, zstd_level: i32) -> std::io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        put_list(&mut plain, self.list.iter().map(Known::encode));
        self.places.iter().for_each(|place| plain.extend_from_slice(&place.to_le_bytes()));
        zstd::bulk::compress(&plain, zstd_level)
    }

    /// `None` if these are no templates.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let plain = zstd::stream::decode_all(bytes).ok()?;
        let mut rest = plain.as_slice();
        let list = take_list(&mut rest).ok()?.into_iter().map(Known::decode).collect::<Option<Vec<_>>>()?;
        let (places, []) = rest.as_chunks::<4>() else { return None };
        let places: Vec<u32> = places.iter().map(|place| u32::from_le_bytes(*place)).collect();
        places.iter().all(|place| (*place as usize) < list.len()).then_some(Self { list, places })
    }
}

impl Known {
    fn encode(&self) -> Vec<u8> {
        let Listed { stream, id, aliases, template, count } = &self.listed;
        let mut out = Vec::new();
        for number in [stream.0, id.0, *count, self.first_ns as u64, aliases.len() as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        aliases.iter().for_each(|alias| out.extend_from_slice(&alias.0.to_le_bytes()));
        out.extend_from_slice(template.to_string().as_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut number = || {
            let (eight, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            Some(u64::from_le_bytes(*eight))
        };
        let (stream, id, count) = (StreamKey(number()?), TemplateId(number()?), number()?);
        let (first_ns, aliases) = (number()? as i64, number()?);
        if aliases > ALIASES as u64 {
            return None;
        }
        let aliases = (0..aliases).map(|_| number().map(TemplateId)).collect::<Option<Vec<_>>>()?;
        let template = Template::parse(std::str::from_utf8(rest).ok()?).ok()?;
        Some(Self { listed: Listed { stream, id, aliases, template, count }, first_ns })
    }
}

/// The earliest time by place, of what has a time by number.
pub(crate) fn earliest(places: &[u32], by_number: &[i64], length: usize) -> Vec<i64> {
    let mut first_ns = vec![i64::MAX; length];
    for (place, time_ns) in places.iter().zip(by_number) {
        if let Some(first) = first_ns.get_mut(*place as usize) {
            *first = (*time_ns).min(*first);
        }
    }
    first_ns
}
