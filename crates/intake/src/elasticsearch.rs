//! The Elasticsearch API, as far as senders of logs use it.
//!
//! Its clients look at every answer, errors included, for the header that says "Elasticsearch", ask who we are and set up
//! templates before they send, and read one answer per document. So everything here, whatever the path, goes through one
//! function that adds the header, and what was put is remembered until it is asked for again.

mod bulk;
mod ids;
mod plan;
mod setup;

use std::collections::HashMap;
use std::io::Write;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use axum::routing::any;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderName, HeaderValue, Method, Uri};
use logkeep_ingest::Document;
use logkeep_record::{Value, json};
use logkeep_wire::compress::decompress;
use logkeep_wire::elasticsearch::{FilterPath, Identity, ItemAnswer, Outcome, PRODUCT_HEADER, bulk_answer, error_body};

use crate::Intake;
use crate::counters::Protocol;
use crate::options::IntakeOptions;
use crate::refusal::{Kind, Refusal};
use crate::request::{TENANT, answer, joined, refused};
use crate::senders::Sender;

const JSON: &str = "application/json";
/// Answers shorter than this are not worth compressing.
const GZIP_FROM: usize = 1_024;

/// What the API remembers.
pub(crate) struct Elasticsearch {
    identity: Identity,
    ids: ids::Ids,
    setup: setup::Setup,
}

impl Elasticsearch {
    /// `stored` are the documents of before, oldest first, and when each came.
    pub(crate) fn new(options: &IntakeOptions, stored: Vec<(i64, Document)>) -> Self {
        let identity = Identity {
            node: "logkeep".into(),
            cluster: "logkeep".into(),
            // Any will do that stays the same over restarts.
            cluster_uuid: "bG9na2VlcC1sb2drZWVw".into(),
            version: options.elasticsearch_version.clone(),
        };
        Self {
            identity,
            ids: ids::Ids::new(options.dedupe_documents, options.dedupe_window, stored),
            setup: setup::Setup::default(),
        }
    }
}

/// What a request asks for.
struct Asked<'r> {
    method: Method,
    /// Names between the slashes, percent-decoded.
    path: Vec<String>,
    query: &'r HashMap<String, String>,
    /// `host:port` as the client knows us.
    host: String,
}

/// A status and a body in JSON, or in text.
struct Answer {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Answer {
    fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: JSON, body: body.into() }
    }

    fn error(status: u16, kind: &str, reason: &str) -> Self {
        Self::json(status, error_body(status, kind, reason))
    }

    fn refused(refusal: &Refusal) -> Self {
        let kind = match refusal.kind {
            Kind::Malformed => "illegal_argument_exception",
            Kind::TooLarge => "content_too_long_exception",
            Kind::Unsupported => "media_type_header_exception",
            Kind::Tenant | Kind::Unauthenticated | Kind::Denied => "security_exception",
            Kind::Busy => "es_rejected_execution_exception",
            Kind::Unavailable => "cluster_block_exception",
        };
        Self::error(refusal.status(), kind, &refusal.message)
    }
}

impl Intake {
    /// The bulk API and what its clients set up before they use it, on bare paths.
    pub fn elasticsearch_router(&self) -> Router {
        let at = At { intake: self.clone(), names: 0 };
        Router::new().route("/", any(handle)).route("/{*path}", any(handle)).with_state(at)
    }

    /// The same below a prefix such as `/es`, to be merged and not nested: clients with a prefix ask for `/es/`, which a
    /// nested router does not have.
    pub fn elasticsearch_router_at(&self, prefix: &str) -> Router {
        let prefix = prefix.trim_end_matches('/');
        let at = At { intake: self.clone(), names: prefix.split('/').filter(|name| !name.is_empty()).count() };
        Router::new()
            .route(prefix, any(handle))
            .route(&format!("{prefix}/"), any(handle))
            .route(&format!("{prefix}/{{*path}}"), any(handle))
            .with_state(at)
    }
}

/// Where the API is served.
#[derive(Clone)]
struct At {
    intake: Intake,
    /// Names of the prefix.
    names: usize,
}

async fn handle(State(At { intake, names }): State<At>, request: Request) -> Response {
    let accepts_gzip = joined(request.headers(), ACCEPT_ENCODING.as_str()).to_ascii_lowercase().contains("gzip");
    let mut retry = None;
    let sender = intake.sender(Protocol::Elasticsearch, TENANT, &request);
    let result = async {
        let query = parameters(request.uri())?;
        let asked = Asked {
            method: request.method().clone(),
            path: segments(request.uri()).split_off(names),
            query: &query,
            host: joined(request.headers(), "host"),
        };
        let filter = FilterPath::parse(query.get("filter_path").map_or("", String::as_str));
        let answer = intake.elasticsearch(&sender, asked, &filter, request).await?;
        Ok(answer)
    };
    let answered = result.await.unwrap_or_else(|refusal: Refusal| {
        intake.count_refusal(&sender, &refusal);
        let answer = Answer::refused(&refusal);
        retry = Some(refusal);
        answer
    });
    let mut response = respond(answered, accepts_gzip);
    if let Some(refusal) = retry {
        response = refused(&refusal, response);
    }
    let (name, value) = PRODUCT_HEADER;
    let name = HeaderName::from_bytes(name.as_bytes()).expect("the name of the product header is a header name");
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

fn respond(Answer { status, content_type, body }: Answer, accepts_gzip: bool) -> Response {
    if !accepts_gzip || body.len() < GZIP_FROM {
        return answer(status, content_type, body);
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    let packed = encoder.write_all(&body).and_then(|()| encoder.finish());
    let Ok(packed) = packed else { return answer(status, content_type, body) };
    let mut response = answer(status, content_type, Body::from(packed));
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

fn parameters(uri: &Uri) -> Result<HashMap<String, String>, Refusal> {
    let query = Query::<HashMap<String, String>>::try_from_uri(uri);
    query.map(|query| query.0).map_err(|error| Refusal::new(Kind::Malformed, error.body_text()))
}

/// The names between the slashes of a path, percent-decoded; bytes that are not UTF-8 are replaced.
fn segments(uri: &Uri) -> Vec<String> {
    let decode = |name: &str| {
        let (bytes, mut out, mut at) = (name.as_bytes(), Vec::with_capacity(name.len()), 0);
        while let Some(byte) = bytes.get(at) {
            let hex = |place: usize| (*bytes.get(place)? as char).to_digit(16);
            match (*byte, hex(at + 1), hex(at + 2)) {
                (b'%', Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    at += 3;
                }
                (other, ..) => {
                    out.push(other);
                    at += 1;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    uri.path().split('/').filter(|name| !name.is_empty()).map(decode).collect()
}

impl Intake {
    async fn elasticsearch(
        &self,
        sender: &Sender,
        asked: Asked<'_>,
        filter: &FilterPath,
        request: Request,
    ) -> Result<Answer, Refusal> {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let writes = matches!(asked.method, Method::POST | Method::PUT);
        match path.as_slice() {
            ["_bulk"] if writes => self.bulk_request(sender, None, filter, request).await,
            [index, "_bulk"] if writes => self.bulk_request(sender, Some((*index).to_owned()), filter, request).await,
            [index, "_doc"] if writes => self.document(sender, index, "index", None, request).await,
            [index, "_doc", id] if writes => {
                let action =
                    if asked.query.get("op_type").is_some_and(|op| op == "create") { "create" } else { "index" };
                self.document(sender, index, action, Some(id), request).await
            }
            [index, "_create", id] if writes => self.document(sender, index, "create", Some(id), request).await,
            _ => {
                let answer = self.set_up(sender, &asked, request).await?;
                Ok(filtered(answer, filter))
            }
        }
    }

    async fn bulk_request(
        &self,
        sender: &Sender,
        index: Option<String>,
        filter: &FilterPath,
        request: Request,
    ) -> Result<Answer, Refusal> {
        let incoming = self.read(sender, request).await?;
        let answers = Intake::to_the_end(self.clone().bulk(incoming, index)).await??;
        Ok(Answer::json(200, bulk_answer(answers.took_ms, &answers.items, filter)))
    }

    /// One document, as a bulk request of one item.
    async fn document(
        &self,
        sender: &Sender,
        index: &str,
        action: &str,
        id: Option<&str>,
        request: Request,
    ) -> Result<Answer, Refusal> {
        let mut incoming = self.read(sender, request).await?;
        let max_bytes = self.inner.options.request_decompressed_bytes;
        let source = decompress(&incoming.body, &incoming.content_encoding, max_bytes)?;
        let mut parameters = serde_json::json!({ "_index": index });
        if let Some(id) = id {
            parameters["_id"] = id.into();
        }
        let mut body = serde_json::json!({ action: parameters }).to_string().into_bytes();
        body.push(b'\n');
        // A line break in JSON text is only ever white space.
        body.extend(source.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        incoming.body = body.into();
        incoming.content_encoding = String::new();
        let answers = Intake::to_the_end(self.clone().bulk(incoming, None)).await??;
        answers
            .items
            .first()
            .map(document_answer)
            .ok_or_else(|| Refusal::new(Kind::Malformed, "the document is missing"))
    }
}

fn document_answer(item: &ItemAnswer<'_>) -> Answer {
    match &item.outcome {
        Outcome::Failed { error, .. } => Answer::error(error.status, error.kind, &error.reason),
        Outcome::Stored { id, version } => {
            let (status, result) = if *version > 1 { (200, "updated") } else { (201, "created") };
            let body = serde_json::json!({
                "_index": item.index, "_id": id, "_version": version, "result": result,
                "_shards": {"total": 1, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1
            });
            Answer::json(status, body.to_string())
        }
    }
}

/// Applies `filter_path` to an answer that is JSON.
fn filtered(answer: Answer, filter: &FilterPath) -> Answer {
    if *filter == FilterPath::default() || answer.content_type != JSON {
        return answer;
    }
    let Some(value) = std::str::from_utf8(&answer.body).ok().and_then(|text| json::parse(text).ok()) else {
        return answer;
    };
    let mut out = String::new();
    json::write(&filter.apply(value).unwrap_or(Value::Map(Vec::new())), &mut out);
    Answer { body: out.into_bytes(), ..answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/", vec![]),
            ("/_bulk", vec!["_bulk"]),
            ("/a%2Fb/_doc//x%zz%4", vec!["a/b", "_doc", "x%zz%4"]),
            ("/%ff", vec!["\u{fffd}"]),
        ] {
            assert_eq!(segments(&path.parse().unwrap()), expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_survives_its_encoding(name in "\\PC{1,20}") {
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            proptest::prop_assert_eq!(segments(&format!("/{encoded}").parse().unwrap()), vec![name]);
        }
    }
}
