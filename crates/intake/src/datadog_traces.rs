//! The agent's part for tracers of Datadog: traces of versions 0.3, 0.4, 0.5 and 0.7, and what tracers ask before; and what an
//! Agent sends on.
//!
//! A tracer sends a refused request a few times more and then drops it, and nothing of what it is answered tells one span from
//! another. So bad spans are counted and the answer is good, as an agent's is, unless none was good. What tracers send beside
//! traces is taken and let go. Not here: metrics over UDP (dogstatsd), which nobody answers.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use http::HeaderMap;
use logkeep_wire::compress::decompress;
use logkeep_wire::datadog_traces::{Form, Tracer, decode_traces};
use logkeep_wire::{Decoded, Rejection};

use crate::Intake;
use crate::account::reason;
use crate::counters::Protocol;
use crate::datadog::let_go;
use crate::prepare::{Prepared, prepare_spans};
use crate::refusal::Refusal;
use crate::request::{Incoming, TENANT, answer, joined, refused};
use crate::zipkin::{TEXT, said};

const JSON: &str = "application/json";
/// How many of their traces tracers should send: all, because what to keep is decided here.
const RATES: &str = r#"{"rate_by_service":{"service:,env:":1}}"#;
/// Where an Agent sends on what tracers gave it; no tracer does.
const FROM_AGENTS: &str = "/api/v0.2/traces";
/// How many traces a request has, if one believes its sender.
const TRACE_COUNT: &str = "x-datadog-trace-count";
/// Of a header that becomes an attribute.
const HEADER_CHARS: usize = 256;

/// Where they are sent to, in which form, and whether the answer says how many to send.
const PATHS: [(&str, Form, bool); 5] = [
    ("/v0.3/traces", Form::Maps, false),
    ("/v0.4/traces", Form::Maps, true),
    ("/v0.5/traces", Form::Table, true),
    ("/v0.7/traces", Form::Payload, true),
    (FROM_AGENTS, Form::Agent, false),
];

impl Intake {
    /// What an agent has for tracers, on bare paths.
    pub fn datadog_traces_router(&self) -> Router {
        let mut router = Router::new().route("/info", get(async || answer(200, JSON, info())));
        for (path, form, wants_rates) in PATHS {
            let take = async move |State(intake): State<Self>, request| intake.traces(form, wants_rates, request).await;
            router = router.route(path, post(take).put(take));
        }
        for path in [
            "/v0.3/services",
            "/v0.4/services",
            "/v0.6/stats",
            "/api/v0.2/stats",
            "/telemetry/proxy/{*path}",
            "/profiling/v1/input",
            "/v0.1/pipeline_stats",
            "/debugger/v1/input",
            "/debugger/v1/diagnostics",
        ] {
            router =
                router.route(path, any(async |state, request| let_go(state, Protocol::DatadogTraces, request).await));
        }
        router.with_state(self.clone())
    }

    /// The same below `/datadog`.
    pub fn datadog_traces_router_on_main(&self) -> Router {
        Router::new().nest("/datadog", self.datadog_traces_router())
    }

    async fn traces(self, form: Form, wants_rates: bool, request: Request) -> Response {
        let sender = self.sender(Protocol::DatadogTraces, TENANT, &request);
        let traces = joined(request.headers(), TRACE_COUNT);
        let tracer = tracer(request.headers());
        let result = async {
            let incoming = self.read(&sender, request).await?;
            Self::to_the_end(self.clone().store_traces(form, tracer, incoming)).await?
        };
        match result.await {
            Ok(None) if wants_rates => answer(200, JSON, RATES),
            Ok(None) => answer(200, TEXT, "OK\n"),
            Ok(Some(nothing_good)) => answer(400, TEXT, nothing_good + "\n"),
            Err(refusal) => {
                let refusal: Refusal = refusal;
                self.count_refusal(&sender, &refusal);
                let about = traces.parse::<u32>().map_or(String::new(), |count| format!(" ({count} traces)"));
                refused(&refusal, answer(refusal.status(), TEXT, format!("{refusal}{about}\n")))
            }
        }
    }

    /// Gives what to say if no span was good.
    async fn store_traces(self, form: Form, tracer: Tracer, incoming: Incoming) -> Result<Option<String>, Refusal> {
        let max_bytes = self.inner.options.request_decompressed_bytes;
        let work = move |incoming: &Incoming| {
            let body = decompress(&incoming.body, &incoming.content_encoding, max_bytes)?;
            let Decoded { records, rejected } = decode_traces(form, &body, &tracer, incoming.received_ns)?;
            let good = records.len();
            let prepared = prepare_spans(incoming.entry(), records)?;
            Ok::<_, Refusal>((prepared, good, rejected))
        };
        let (incoming, (prepared, good, rejected)): (_, (Prepared, usize, Vec<Rejection>)) =
            self.decode(incoming, work).await?;
        let prepared = prepared.rejecting(rejected.len(), reason::MALFORMED);
        self.commit(&incoming.origin, prepared, None).await?;
        let said = said(&rejected);
        if let Some(said) = &said {
            self.tell_fault(&incoming.origin, reason::MALFORMED, said);
        }
        Ok(said.filter(|_| good == 0))
    }
}

fn tracer(headers: &HeaderMap) -> Tracer {
    let header = |name| joined(headers, name).chars().take(HEADER_CHARS).collect();
    Tracer {
        language: header("datadog-meta-lang"),
        language_version: header("datadog-meta-lang-version"),
        version: header("datadog-meta-tracer-version"),
        container_id: header("datadog-container-id"),
    }
}

/// What tracers choose their version by. Statistics are not among it: tracers that know of them make them, for nobody.
fn info() -> String {
    let endpoints: Vec<_> = PATHS.iter().map(|(path, ..)| path).filter(|path| **path != FROM_AGENTS).collect();
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "endpoints": endpoints,
        "client_drop_p0s": false,
        "span_meta_structs": true,
        "span_events": true,
        "long_running_spans": false,
        "config": {},
    })
    .to_string()
}
