//! Elasticsearch bulk: an action line and a document line for each event, into a data stream.

use logkeep_meshsim::{Event, render};

const ACTION: &str = "{\"create\":{\"_index\":\"logs-mesh-default\"}}\n";

/// The body of `POST /_bulk`.
pub fn bulk(events: &[Event]) -> Vec<u8> {
    let mut out = String::with_capacity(events.len() * 900);
    for event in events {
        out.push_str(ACTION);
        render::document(event, &mut out);
        out.push('\n');
    }
    out.into_bytes()
}
