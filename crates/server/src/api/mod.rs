//! Our own HTTP API (docs/api.md): requests to calls, answers to JSON.

mod answer;
mod approvals;
mod ask;
mod audit;
mod caller;
mod compare;
mod error;
mod explain;
mod export;
mod glass;
mod histogram;
mod keeping;
mod oidc;
mod overview;
mod params;
mod patterns;
mod people;
mod proof;
mod render;
mod search;
mod second;
mod services;
mod session;
mod sources;
mod sql;
mod status;
mod tail;
mod tenants;
mod trace;
mod views;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post, put};
use logkeep_access::{Access, CertificateRules, Directory, Oidc};
use logkeep_ingest::Ingest;
use logkeep_intake::{Intake, Tls};
use logkeep_query::QueryEngine;
use logkeep_record::TenantId;
use logkeep_redact::Redactor;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::destruction::Destroyer;
use crate::listen::Receiver;
use crate::pipelines::Reloads;
use crate::server::SignInOptions;
use crate::{metrics, ui};

pub(crate) use error::ApiError;
pub(crate) use export::exports_at_once;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) access: Access,
    pub(crate) directory: Arc<Directory>,
    pub(crate) sign_in: SignInOptions,
    pub(crate) rules: Arc<CertificateRules>,
    pub(crate) oidc: Option<Arc<Oidc>>,
    pub(crate) query: QueryEngine,
    pub(crate) ingest: Ingest,
    pub(crate) intake: Intake,
    pub(crate) receivers: Arc<Vec<Receiver>>,
    pub(crate) main: SocketAddr,
    pub(crate) certificates: Vec<Arc<Tls>>,
    pub(crate) tenant: TenantId,
    pub(crate) stop: CancellationToken,
    pub(crate) started_ns: i64,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) reloads: Arc<Reloads>,
    pub(crate) destroyer: Destroyer,
    pub(crate) exports: Arc<Semaphore>,
}

/// Everything the main listener answers.
pub(crate) fn router(state: AppState) -> Router {
    let intake = state.intake.clone();
    let api = Router::new()
        .route("/logs", get(search::logs))
        .route("/logs/{id}", get(search::record))
        .route("/logs/{id}/context", get(search::context))
        .route("/logs/{id}/proof", get(proof::proof))
        .route("/spans", get(search::spans))
        .route("/traces/{id}", get(trace::trace))
        .route("/overview", get(overview::overview))
        .route("/patterns", get(patterns::patterns))
        .route("/patterns/parameters", get(patterns::parameters))
        .route("/services", get(services::services))
        .route("/graph", get(services::graph))
        .route("/sources", get(sources::sources))
        .route("/audit", get(audit::audit))
        .route("/compare", get(compare::compare))
        .route("/histogram", get(histogram::histogram))
        .route("/fields", get(search::fields))
        .route("/fields/{name}/values", get(search::values))
        .route("/export", get(export::export))
        .route("/tail", get(tail::tail))
        .route("/sql", post(sql::sql))
        .route("/status", get(status::status))
        .route("/session", get(session::who_am_i).post(session::sign_in).delete(session::sign_out))
        .route("/session/oidc/start", get(oidc::start))
        .route("/session/oidc/callback", get(oidc::callback))
        .route("/setup", post(session::set_up))
        .route("/users", get(people::users).post(people::add_user))
        .route("/users/{name}", put(people::change_user))
        .route("/users/{name}/second-factor", delete(second::reset))
        .route("/users/{name}/link", post(people::add_link))
        .route("/password", put(people::change_password).post(session::choose_password))
        .route("/second-factor", post(second::begin).put(second::confirm).delete(second::end))
        .route("/second-factor/recovery", post(second::renew))
        .route("/sessions", get(people::sessions))
        .route("/sessions/{id}", delete(people::end_session))
        .route("/tokens", get(people::tokens).post(people::add_token))
        .route("/tokens/{id}", delete(people::end_token))
        .route("/access/explain", get(explain::explain))
        .route("/tenants/{name}/keys", delete(tenants::destroy_keys))
        .route("/tenants/{name}/retention", get(keeping::retention).put(keeping::set_retention))
        .route("/tenants/{name}/holds", get(keeping::holds).post(keeping::place_hold))
        .route("/tenants/{name}/holds/{id}", delete(keeping::release_hold))
        .route("/views", get(views::views).post(views::save))
        .route("/views/{id}", put(views::change).delete(views::remove))
        .route("/approvals", get(approvals::approvals))
        .route("/approvals/{id}", post(approvals::decide))
        .route("/break-glass", get(glass::glasses).post(glass::break_glass).delete(glass::end))
        .route("/break-glass/{id}/review", post(glass::review))
        .fallback(error::no_such_path);
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .route("/metrics", get(metrics::metrics))
        .with_state(state)
        .merge(intake.main_router())
        .fallback(ui::file)
}
