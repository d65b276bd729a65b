//! Requests through the mesh, one after another, as an endless stream of events in order of time.
//!
//! A request enters at a service that faces outside and walks the call graph. Each hop leaves an access log at the
//! server's proxy, sometimes one at the caller's, and application lines that carry the same trace id. The clock moves
//! by the number of events and not of requests, so that a rate asked for is the rate delivered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::event::{Access, AppLog, Event, Kind, Level, Side, Trace};
use crate::span::{Exception, Span, caller_half};
use crate::topology::{Mesh, Platform, Pod, Route, Service};
use crate::{Rng, audit, words};

const MS: i64 = 1_000_000;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything follows from it.
    pub seed: u64,
    /// Time of the first request, nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Average distance between two events.
    pub ns_per_event: u64,
    /// How many lines of other kinds come with the access logs.
    pub mix: Mix,
    /// A deploy that goes wrong.
    pub fault: Option<Fault>,
}

/// Lines per thousand access-log lines.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Of applications.
    pub app: u32,
    /// Of the Kubernetes API server.
    pub audit: u32,
}

impl Default for Mix {
    /// 20 % application and 5 % audit lines beside 75 % access logs.
    fn default() -> Self {
        Self { app: 267, audit: 67 }
    }
}

/// A bad deploy: from then on most of the service's pods carry a new version label, answer eight times slower, refuse
/// about every second request, and write a message that was never seen before.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The service deployed.
    pub service: String,
    /// When.
    pub at_ns: i64,
    /// When it is rolled back, if ever.
    pub until_ns: Option<i64>,
}

/// The simulation: an endless iterator.
#[derive(Debug)]
pub struct Simulator {
    mesh: Arc<Mesh>,
    options: Options,
    rng: Rng,
    entries: Vec<usize>,
    next_arrival_ns: i64,
    pending: BinaryHeap<Reverse<Queued>>,
    serial: u64,
    emitted: u64,
    app_credit: i64,
    audit_credit: i64,
    deploys_told: usize,
    /// Those not taken yet; `None` where nobody wants them.
    spans: Option<Vec<Span>>,
}

#[derive(Debug)]
struct Queued {
    time_ns: i64,
    serial: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time_ns, self.serial).cmp(&(other.time_ns, other.serial))
    }
}

/// What stays the same over all hops of one request.
struct Request {
    trace_id: u128,
    request_id: u128,
    client: [u8; 4],
    user_agent: &'static str,
}

/// One service's part in a request.
struct Hop<'a> {
    service: &'a Service,
    pod: &'a Arc<Pod>,
    trace: Trace,
    at_ns: i64,
    took_us: u64,
    status: u16,
    broken: bool,
    /// The part of it in which the request is on its way.
    way_us: u64,
}

/// Who asks.
struct Caller<'a> {
    pod: &'a Arc<Pod>,
    span_id: u64,
}

/// How a hop looks to its caller.
struct Outcome {
    status: u16,
    took_us: u64,
}

const USER_AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "ShopApp/8.4.1 (Android 16; Pixel 10)",
    "curl/8.16.0",
];

impl Simulator {
    /// Starts the clock.
    pub fn new(mesh: Mesh, options: Options) -> Self {
        let weights = mesh.services.iter().enumerate();
        let entries = weights.flat_map(|(index, service)| (0..service.entry_weight).map(move |_| index)).collect();
        Self {
            mesh: Arc::new(mesh),
            rng: Rng::new(options.seed),
            entries,
            next_arrival_ns: options.start_ns - options.start_ns.rem_euclid(MS),
            options,
            pending: BinaryHeap::new(),
            serial: 0,
            emitted: 0,
            app_credit: 0,
            audit_credit: 0,
            deploys_told: 0,
            spans: None,
        }
    }

    /// Makes spans as well ([`Self::take_spans`]), and gives the callers' lines the ids of the callers' spans.
    pub fn traced(mut self) -> Self {
        self.spans = Some(Vec::new());
        self
    }

    /// The spans that had ended by then and were not taken before. Who wants them takes them now and then: they are kept.
    pub fn take_spans(&mut self, ended_by_ns: i64) -> Vec<Span> {
        let spans = self.spans.as_mut();
        spans.map_or_else(Vec::new, |spans| spans.extract_if(.., |span| span.end_ns <= ended_by_ns).collect())
    }

    /// Spans that wait to be taken, those that have not ended among them.
    pub fn waiting_spans(&self) -> usize {
        self.spans.as_ref().map_or(0, Vec::len)
    }

    /// Who is in it.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// Changes the average distance between two events from here on.
    pub fn set_ns_per_event(&mut self, ns_per_event: u64) {
        self.options.ns_per_event = ns_per_event;
    }

    fn fault_active(&self, service: &Service, at_ns: i64) -> bool {
        self.options.fault.as_ref().is_some_and(|fault| {
            at_ns >= fault.at_ns && fault.until_ns.is_none_or(|until| at_ns < until) && fault.service == service.name()
        })
    }

    /// Everything the next request causes.
    fn arrive(&mut self) {
        let at_ns = self.next_arrival_ns;
        self.tell_of_deploys(at_ns);
        let before = self.emitted;
        let entry = *self.rng.pick(&self.entries);
        let request = Request {
            trace_id: self.rng.next_u128() | 1,
            request_id: self.rng.next_u128(),
            client: outside_address(&mut self.rng),
            user_agent: self.rng.pick::<&'static str>(&USER_AGENTS),
        };
        self.hop(&request, None, entry, at_ns, 0);
        self.audit_lines(at_ns);
        let events = (self.emitted - before).max(1);
        let average = events * self.options.ns_per_event;
        let pause = self.rng.between(average / 2, average + average / 2 + 1) as i64;
        self.next_arrival_ns = at_ns + pause;
    }

    fn hop(&mut self, request: &Request, caller: Option<Caller<'_>>, callee: usize, at_ns: i64, depth: u8) -> Outcome {
        let mesh = Arc::clone(&self.mesh);
        let service = &mesh.services[callee];
        let active = self.fault_active(service, at_ns);
        let pod = self.rng.pick(if active { &service.bad_pods } else { &service.pods });
        let broken = active && pod.version != service.pods[0].version;
        let span_id = self.rng.next_u64() | 1;
        let trace = Trace { trace_id: request.trace_id, span_id, depth };
        let slower = if broken { 8 } else { 1 };
        let mut took_us = self.rng.latency(service.latency_us * slower);
        let way_us = (took_us / 16).min(MOST_WAY_US);
        let mut status = self.own_status(service, broken);
        if status < 400 {
            for call in &service.calls {
                if !self.rng.chance(call.per_million) {
                    continue;
                }
                let child = self.hop(
                    request,
                    Some(Caller { pod, span_id }),
                    call.callee,
                    at_ns + took_us as i64 * 1_000,
                    depth + 1,
                );
                took_us += child.took_us;
                if child.status >= 500 && self.rng.chance(600_000) {
                    status = if child.status == 503 { 503 } else { 502 };
                    break;
                }
            }
        }
        let hop = Hop { service, pod, trace, at_ns, took_us, status, broken, way_us };
        let route = pick_route(&service.routes, &mut self.rng);
        let access = self.access(request, caller.as_ref().map(|caller| caller.pod), route, &hop);
        let told = self.spans.is_some().then(|| access.clone());
        self.access_lines(access, &hop);
        let exception = self.app_lines(&hop);
        if let Some(access) = told {
            self.spans_of(access, route, caller.map(|caller| caller.span_id), exception, &hop);
        }
        Outcome { status, took_us }
    }

    fn own_status(&mut self, service: &Service, broken: bool) -> u16 {
        if broken && self.rng.chance(450_000) {
            503
        } else if self.rng.chance(service.errors_per_million) {
            *self.rng.pick(&[500, 500, 503, 504])
        } else if self.rng.chance(22_000) {
            *self.rng.pick(&[404, 404, 404, 400, 401, 403, 409, 429])
        } else {
            *self.rng.pick(&[200, 200, 200, 200, 200, 200, 200, 201, 204, 304])
        }
    }

    fn access(&mut self, request: &Request, caller: Option<&Arc<Pod>>, route: &Route, hop: &Hop<'_>) -> Access {
        let Hop { service, pod, took_us, status, .. } = *hop;
        let unanswered = status == 503 || status == 504;
        let (flags, details, transport_failure) = match (status, self.rng.below(3)) {
            (503, 0) => ("UF,URX", "upstream_reset_before_response_started{connection_failure}", Some(REFUSED)),
            (503, 1) => ("UC", "upstream_reset_before_response_started{connection_termination}", None),
            (503, _) => ("UO", "overflow", None),
            (504, _) => ("UT", "response_timeout", None),
            _ => ("-", "via_upstream", None),
        };
        let writes = route.method != "GET" && route.method != "DELETE";
        Access {
            side: Side::Inbound,
            method: route.method,
            path: path(route, &mut self.rng),
            protocol: if self.rng.chance(700_000) { "HTTP/1.1" } else { "HTTP/2" },
            status,
            flags,
            details,
            transport_failure,
            bytes_received: if writes { 80 + self.rng.skewed(4_000) } else { 0 },
            bytes_sent: if unanswered { 91 } else { 120 + self.rng.skewed(60_000) },
            duration_us: took_us + self.rng.between(150, 900),
            upstream_us: (!unanswered).then_some(took_us),
            client: caller.is_none().then_some(request.client),
            user_agent: if caller.is_some() { agent_of(service) } else { request.user_agent },
            request_id: request.request_id,
            server: Arc::clone(pod),
            caller: caller.cloned(),
            caller_port: self.rng.between(32_768, 61_000) as u16,
        }
    }

    /// The server's line and, where the caller's Envoy logs too, the caller's.
    fn access_lines(&mut self, access: Access, hop: &Hop<'_>) {
        let Hop { trace, at_ns, broken, .. } = *hop;
        let time_ns = at_ns - at_ns.rem_euclid(MS);
        let outbound_too = access.status >= 500 || broken || self.rng.chance(180_000);
        let mut lines = 1;
        if let Some(caller) = access.caller.clone()
            && caller.platform != Platform::Linkerd
            && outbound_too
        {
            let seen = Access {
                side: Side::Outbound,
                duration_us: access.duration_us + self.rng.between(200, 1_500),
                ..access.clone()
            };
            let span_id = if self.spans.is_some() { caller_half(trace.span_id) } else { trace.span_id };
            self.push(time_ns, caller, Some(Trace { span_id, ..trace }), kind_for(seen, caller_platform));
            lines += 1;
        }
        let pod = Arc::clone(&access.server);
        self.push(time_ns, pod, Some(trace), kind_for(access, server_platform));
        self.app_credit += i64::from(self.options.mix.app * lines);
        self.audit_credit += i64::from(self.options.mix.audit * lines);
    }

    /// The application's lines, the first of them of its failure if it fails; that is answered.
    fn app_lines(&mut self, hop: &Hop<'_>) -> Option<Exception> {
        let Hop { service, pod, at_ns, took_us, status, broken, .. } = *hop;
        let span_ns = took_us * 1_000;
        let logger = words::logger(pod.language, &mut self.rng);
        let mut exception = None;
        if status >= 500 {
            let message = if broken && self.rng.chance(750_000) {
                words::fill(words::FAULT_MESSAGE, &mut self.rng)
            } else {
                words::message(service, Level::Error, &mut self.rng)
            };
            let stack = self.rng.chance(600_000).then(|| words::stack(pod.language, &mut self.rng));
            exception = Some(Exception { message: message.clone(), stack: stack.clone() });
            self.app_line(hop, at_ns + span_ns as i64, AppLog { level: Level::Error, logger, message, stack });
        }
        while self.app_credit >= 1_000 {
            let level = match self.rng.below(100) {
                0..3 => Level::Error,
                3..10 => Level::Warn,
                10..18 => Level::Debug,
                _ => Level::Info,
            };
            let stack = (level == Level::Error).then(|| words::stack(pod.language, &mut self.rng));
            let message = words::message(service, level, &mut self.rng);
            let at_ns = at_ns + self.rng.below(span_ns) as i64;
            self.app_line(hop, at_ns, AppLog { level, logger, message, stack });
        }
        exception
    }

    /// The caller waits as long as the whole hop takes, and the other works from when it has the request.
    fn spans_of(
        &mut self,
        access: Access,
        route: &Route,
        parent_id: Option<u64>,
        exception: Option<Exception>,
        hop: &Hop<'_>,
    ) {
        let Some(spans) = &mut self.spans else { return };
        let Trace { trace_id, span_id, .. } = hop.trace;
        let (start_ns, end_ns) = (hop.at_ns, hop.at_ns + hop.took_us as i64 * 1_000);
        let callers = parent_id.map(|_| Span {
            trace_id,
            span_id: caller_half(span_id),
            parent_id,
            start_ns,
            end_ns,
            route: route.pattern,
            access: Access { side: Side::Outbound, ..access.clone() },
            exception: None,
        });
        spans.push(Span {
            trace_id,
            span_id,
            parent_id: callers.as_ref().map(|span| span.span_id),
            start_ns: start_ns + hop.way_us as i64 * 1_000,
            end_ns,
            route: route.pattern,
            access,
            exception,
        });
        spans.extend(callers);
    }

    fn app_line(&mut self, hop: &Hop<'_>, at_ns: i64, line: AppLog) {
        self.app_credit -= 1_000;
        self.push(at_ns, Arc::clone(hop.pod), Some(hop.trace), Kind::App(line));
    }

    fn audit_lines(&mut self, at_ns: i64) {
        while self.audit_credit >= 1_000 {
            self.audit_credit -= 1_000;
            let mesh = Arc::clone(&self.mesh);
            let audit = audit::everyday(&mesh, &mut self.rng);
            self.push(at_ns, Arc::clone(&mesh.control_plane), None, Kind::Audit(audit));
        }
    }

    /// The deploy and the roll-back leave their trace on the Kubernetes API, where a reader can find the cause.
    fn tell_of_deploys(&mut self, at_ns: i64) {
        let Some(fault) = self.options.fault.clone() else { return };
        let due = [Some(fault.at_ns), fault.until_ns].into_iter().flatten().filter(|time| *time <= at_ns).count();
        while self.deploys_told < due {
            self.deploys_told += 1;
            let mesh = Arc::clone(&self.mesh);
            if let Some(service) = mesh.service(&fault.service) {
                let audit = audit::deploy(&service.pods[0], &mut self.rng);
                self.push(at_ns, Arc::clone(&mesh.control_plane), None, Kind::Audit(audit));
            }
        }
    }

    fn push(&mut self, time_ns: i64, pod: Arc<Pod>, trace: Option<Trace>, kind: Kind) {
        self.serial += 1;
        self.emitted += 1;
        let event = Event { time_ns, pod, trace, kind };
        self.pending.push(Reverse(Queued { time_ns, serial: self.serial, event }));
    }
}

impl Simulator {
    /// The next event, if it is not later than that.
    pub fn next_until(&mut self, until_ns: i64) -> Option<Event> {
        loop {
            // Access logs are cut to the millisecond, so a later request can still precede this one within its own.
            let floor = self.next_arrival_ns - self.next_arrival_ns.rem_euclid(MS);
            match self.pending.peek() {
                Some(Reverse(first)) if first.time_ns < floor => {
                    let is_due = first.time_ns <= until_ns;
                    return is_due.then(|| self.pending.pop()).flatten().map(|Reverse(queued)| queued.event);
                }
                _ if floor > until_ns => return None,
                _ => self.arrive(),
            }
        }
    }
}

impl Iterator for Simulator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.next_until(i64::MAX)
    }
}

/// A request is on its way no longer than that.
const MOST_WAY_US: u64 = 400;

const REFUSED: &str = "delayed connect error: Connection refused";

fn caller_platform(access: &Access) -> Platform {
    access.caller.as_ref().map_or(access.server.platform, |caller| caller.platform)
}

fn server_platform(access: &Access) -> Platform {
    access.server.platform
}

fn kind_for(access: Access, platform: fn(&Access) -> Platform) -> Kind {
    match platform(&access) {
        Platform::Istio => Kind::IstioAccess(access),
        Platform::Linkerd => Kind::LinkerdAccess(access),
        Platform::Consul => Kind::EnvoyAccess(access),
    }
}

fn agent_of(service: &Service) -> &'static str {
    match service.pods[0].language {
        crate::Language::Java => "Apache-HttpClient/5.5 (Java/25.0.1)",
        crate::Language::Python => "python-httpx/0.29.0",
        crate::Language::Go => "Go-http-client/2.0",
        crate::Language::Node => "undici",
    }
}

fn pick_route<'a>(routes: &'a [Route], rng: &mut Rng) -> &'a Route {
    let mut left = rng.below(routes.iter().map(|route| route.weight).sum());
    for route in routes {
        if left < route.weight {
            return route;
        }
        left -= route.weight;
    }
    &routes[0]
}

fn path(route: &Route, rng: &mut Rng) -> String {
    match route.pattern.split_once("{id}") {
        Some((before, after)) => format!("{before}{}{after}", 1_000 + rng.skewed(route.ids)),
        None => route.pattern.to_owned(),
    }
}

/// An address from the blocks set aside for documentation (RFC 5737) and benchmarks (RFC 2544): it belongs to nobody.
fn outside_address(rng: &mut Rng) -> [u8; 4] {
    let low = rng.skewed(65_536);
    match rng.below(4) {
        0 => [203, 0, 113, low as u8],
        1 => [198, 51, 100, low as u8],
        2 => [192, 0, 2, low as u8],
        _ => [198, 18, (low >> 8) as u8, low as u8],
    }
}

#[cfg(test)]
mod tests;
