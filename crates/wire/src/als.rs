//! Envoy's access log service (`envoy.service.accesslog.v3`, and v2, whose messages are the same as far as they go).
//!
//! An entry becomes a document with the keys of Envoy's JSON access log, so that whoever reads one reads the other: what those
//! keys mean is told in one place (`normalize`). Entries are decoded one by one, so that a bad one costs only itself.
//!
//! Only the first message of a stream says who sends it; [`Stream`] remembers. Not here: the stream itself (`intake`).

mod entry;
mod messages;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;

use logkeep_record::{Attributes, Record, Resource, Value, limits};
use prost::Message;

use crate::Decoded;
use crate::spans::{MAX_VALUES, put};
use messages::{Entries, HttpEntry, Identifier, StreamMessage, TcpEntry};

/// A message of which nothing can be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlsError {
    /// The bytes are no such message.
    #[error("not a StreamAccessLogsMessage: {0}")]
    Malformed(String),
    /// More than one message may hold.
    #[error("the message has more than {max} {what}")]
    TooMany {
        /// `entries` or `values`.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

/// Who sends on a stream, as its first message says.
#[derive(Clone, Debug)]
pub struct Stream {
    resource: Arc<Resource>,
}

impl Default for Stream {
    fn default() -> Self {
        Self { resource: Resource::from_attributes(Vec::new()) }
    }
}

impl Stream {
    /// The records of the next message.
    ///
    /// # Errors
    /// [`AlsError`]; what follows on the stream can be read all the same.
    pub fn decode(&mut self, message: &[u8], received_ns: i64) -> Result<Decoded<'static>, AlsError> {
        let message = StreamMessage::decode(message).map_err(|error| AlsError::Malformed(error.to_string()))?;
        if let Some(identifier) = message.identifier {
            self.resource = resource(identifier);
        }
        let (mut decoded, mut values_left) = (Decoded::default(), MAX_VALUES);
        self.entries(message.http, HttpEntry::document, &mut decoded, &mut values_left, received_ns)?;
        self.entries(message.tcp, TcpEntry::document, &mut decoded, &mut values_left, received_ns)?;
        Ok(decoded)
    }

    fn entries<E: Message + Default>(
        &self,
        entries: Option<Entries>,
        document: fn(E) -> Attributes<'static>,
        decoded: &mut Decoded<'static>,
        values_left: &mut usize,
        received_ns: i64,
    ) -> Result<(), AlsError> {
        let entries = entries.unwrap_or_default().entries;
        let max = limits::RECORDS_PER_REQUEST;
        if entries.len() > max {
            return Err(AlsError::TooMany { what: "entries", max });
        }
        for bytes in entries {
            if bytes.len() > limits::record_bytes() {
                decoded.reject(format!("an entry of {} bytes, more than {}", bytes.len(), limits::record_bytes()));
                continue;
            }
            match E::decode(bytes.as_slice()) {
                Ok(entry) => {
                    let body = Value::Map(document(entry));
                    *values_left = values_left
                        .checked_sub(crate::spans::count(&body))
                        .ok_or(AlsError::TooMany { what: "values", max: MAX_VALUES })?;
                    decoded.records.push(Record::new(received_ns, body, self.resource.clone()));
                }
                Err(error) => decoded.reject(error.to_string()),
            }
        }
        Ok(())
    }
}

/// The node under the names that Envoy's own OpenTelemetry access log gives it, and what Istio says in its metadata.
fn resource(identifier: Identifier) -> Arc<Resource> {
    const ISTIO: [(&str, &str); 4] = [
        ("NAME", "k8s.pod.name"),
        ("NAMESPACE", "k8s.namespace.name"),
        ("CLUSTER_ID", "k8s.cluster.name"),
        ("MESH_ID", "mesh.name"),
    ];
    let mut attributes = Attributes::new();
    put(&mut attributes, "log_name", Value::from(short(identifier.log_name)));
    let node = identifier.node.unwrap_or_default();
    let locality = node.locality.unwrap_or_default();
    put(&mut attributes, "zone_name", Value::from(short(locality.zone)));
    put(&mut attributes, "cluster_name", Value::from(short(node.cluster)));
    put(&mut attributes, "node_name", Value::from(short(node.id)));
    put(&mut attributes, "cloud.region", Value::from(short(locality.region)));
    for (key, value) in node.metadata.into_iter().flat_map(messages::Struct::fields) {
        let known = ISTIO.iter().find(|(theirs, _)| *theirs == key);
        if let (Some((_, ours)), Some(text)) = (known, value.and_then(messages::Any::into_text)) {
            put(&mut attributes, ours, Value::from(short(text)));
        }
    }
    Resource::from_attributes(attributes)
}

/// A resource is kept with each of its records, so none may be long.
fn short(text: String) -> String {
    const CHARS: usize = 256;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
