//! Answers to what clients ask before they send: who are you, are you well, do you know my template.
//!
//! They are pure: what was set up is the server's state and comes in as an argument. A template that was put must be
//! found again, or clients put it for ever.

use logkeep_record::{Value, json};

use super::answer::{object, to_bytes};

/// Answer to every `PUT` of a template, policy or pipeline, once it is remembered.
pub const ACKNOWLEDGED: &[u8] = br#"{"acknowledged":true}"#;

/// Who we say we are. Clients compare `version` with their own (Beats refuse an older server), so it is configurable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of this node.
    pub node: String,
    /// Of the cluster.
    pub cluster: String,
    /// Of the cluster, stable over restarts.
    pub cluster_uuid: String,
    /// Elasticsearch version to speak as, such as `8.17.0`.
    pub version: String,
}

/// `GET /`.
pub fn info(identity: &Identity) -> Vec<u8> {
    let version = object([
        ("number", Value::str(&identity.version)),
        // "serverless" would make Beats use another set of calls.
        ("build_flavor", Value::str("default")),
        ("build_type", Value::str("tar")),
        ("build_hash", Value::str("unknown")),
        ("build_date", Value::str("1970-01-01T00:00:00.000Z")),
        ("build_snapshot", Value::Bool(false)),
        ("lucene_version", Value::str("9.12.0")),
        ("minimum_wire_compatibility_version", Value::str("7.17.0")),
        ("minimum_index_compatibility_version", Value::str("7.0.0")),
    ]);
    to_bytes(&object([
        ("name", Value::str(&identity.node)),
        ("cluster_name", Value::str(&identity.cluster)),
        ("cluster_uuid", Value::str(&identity.cluster_uuid)),
        ("version", version),
        ("tagline", Value::str("You Know, for Search")),
    ]))
}

/// `GET /_license`: Beats send nothing to a server without an active one.
pub fn license(identity: &Identity) -> Vec<u8> {
    let license = object([
        ("status", Value::str("active")),
        ("uid", Value::str(&identity.cluster_uuid)),
        ("type", Value::str("basic")),
        ("mode", Value::str("basic")),
    ]);
    to_bytes(&object([("license", license)]))
}

/// `GET /_cluster/health`. `green` is whether records are being accepted.
pub fn cluster_health(identity: &Identity, green: bool) -> Vec<u8> {
    let count = Value::Int;
    to_bytes(&object([
        ("cluster_name", Value::str(&identity.cluster)),
        ("status", Value::str(colour(green))),
        ("timed_out", Value::Bool(false)),
        ("number_of_nodes", count(1)),
        ("number_of_data_nodes", count(1)),
        ("active_primary_shards", count(1)),
        ("active_shards", count(1)),
        ("relocating_shards", count(0)),
        ("initializing_shards", count(0)),
        ("unassigned_shards", count(0)),
        ("number_of_pending_tasks", count(0)),
        ("active_shards_percent_as_number", Value::Double(100.0)),
    ]))
}

/// `GET /_cat/health`: one line of text, or JSON for `?format=json`.
pub fn cat_health(identity: &Identity, green: bool, now_s: i64, as_json: bool) -> Vec<u8> {
    let time = jiff::Timestamp::from_second(now_s).unwrap_or_default().strftime("%H:%M:%S").to_string();
    let epoch = now_s.to_string();
    let columns = [
        ("epoch", epoch.as_str()),
        ("timestamp", &time),
        ("cluster", &identity.cluster),
        ("status", colour(green)),
        ("node.total", "1"),
        ("node.data", "1"),
        ("shards", "1"),
        ("pri", "1"),
        ("relo", "0"),
        ("init", "0"),
        ("unassign", "0"),
        ("pending_tasks", "0"),
        ("max_task_wait_time", "-"),
        ("active_shards_percent", "100.0%"),
    ];
    if as_json {
        return to_bytes(&Value::Array(vec![object(columns.map(|(name, value)| (name, Value::str(value))))]));
    }
    let mut line = columns.map(|(_, value)| value).join(" ");
    line.push('\n');
    line.into_bytes()
}

fn colour(green: bool) -> &'static str {
    if green { "green" } else { "red" }
}

/// `GET /_nodes/http`: the one address to send to, `host:port`, so that sniffing clients stay where they are.
pub fn nodes_http(identity: &Identity, address: &str) -> Vec<u8> {
    let http = object([
        ("bound_address", Value::Array(vec![Value::str(address)])),
        ("publish_address", Value::str(address)),
        ("max_content_length_in_bytes", Value::Int(logkeep_record::limits::REQUEST_BYTES as i64)),
    ]);
    let node = object([
        ("name", Value::str(&identity.node)),
        ("version", Value::str(&identity.version)),
        ("roles", Value::Array(vec![Value::str("data"), Value::str("ingest")])),
        ("http", http),
    ]);
    let header = object([("total", Value::Int(1)), ("successful", Value::Int(1)), ("failed", Value::Int(0))]);
    to_bytes(&object([
        ("_nodes", header),
        ("cluster_name", Value::str(&identity.cluster)),
        ("nodes", object([(&identity.cluster_uuid, node)])),
    ]))
}

/// A body that was put earlier, as a value; anything unreadable is an empty object.
fn stored(body: &str) -> Value<'_> {
    json::parse(body).ok().filter(|value| matches!(value, Value::Map(_))).unwrap_or_else(|| object([]))
}

/// `GET /_index_template/{name}`: the templates found, as (name, body as put). Answer 404 with [`not_found`] if none is.
pub fn index_templates(found: &[(&str, &str)]) -> Vec<u8> {
    let templates =
        found.iter().map(|(name, body)| object([("name", Value::str(name)), ("index_template", stored(body))]));
    to_bytes(&object([("index_templates", Value::Array(templates.collect()))]))
}

/// `GET /_ilm/policy/{name}`: the policies found, as (name, body as put).
pub fn ilm_policies(found: &[(&str, &str)]) -> Vec<u8> {
    let policy = |body| match stored(body) {
        Value::Map(mut pairs) => {
            pairs.insert(0, ("version".into(), Value::Int(1)));
            Value::Map(pairs)
        }
        other => other,
    };
    to_bytes(&Value::Map(found.iter().map(|(name, body)| ((*name).into(), policy(*body))).collect()))
}

/// `GET /_ingest/pipeline/{name}`: the pipelines found, as (name, body as put).
pub fn pipelines(found: &[(&str, &str)]) -> Vec<u8> {
    to_bytes(&Value::Map(found.iter().map(|(name, body)| ((*name).into(), stored(body))).collect()))
}

/// `GET /_data_stream/{name}`: the data streams that exist, by name.
pub fn data_streams(names: &[&str]) -> Vec<u8> {
    let streams = names.iter().map(|name| {
        object([
            ("name", Value::str(name)),
            ("timestamp_field", object([("name", Value::str("@timestamp"))])),
            ("indices", Value::Array(Vec::new())),
            ("generation", Value::Int(1)),
            ("status", Value::str("GREEN")),
        ])
    });
    to_bytes(&object([("data_streams", Value::Array(streams.collect()))]))
}

/// `GET /{index}/_mapping`: every document has a time, the rest is found as it comes.
pub fn mapping(indices: &[&str]) -> Vec<u8> {
    let mappings = || {
        let time = object([("type", Value::str("date"))]);
        object([("mappings", object([("properties", object([("@timestamp", time)]))]))])
    };
    to_bytes(&Value::Map(indices.iter().map(|index| ((*index).into(), mappings())).collect()))
}

/// The 404 body for a `kind` (`index template`, `lifecycle policy`, `pipeline`, `data stream`) that was never put.
pub fn not_found(kind: &str, name: &str) -> Vec<u8> {
    super::error_body(404, "resource_not_found_exception", &format!("{kind} matching [{name}] not found"))
}
