//! Errors in the one form of the API.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use logkeep_access::{AccessError, DirectoryError};
use logkeep_catalog::CatalogError;
use logkeep_query::exec::QueryError;
use logkeep_query::kql::KqlError;
use serde_json::{Value, json};
use tracing::error;

/// What an error answers.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Value,
    /// Seconds, where it is worth trying again.
    retry_after: u64,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl ToString) -> Self {
        Self { status, body: json!({"code": code, "message": message.to_string()}), retry_after: 1 }
    }

    pub(crate) fn bad_request(message: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn not_found(message: impl ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn conflict(message: impl ToString) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// With one thing more.
    pub(crate) fn and(mut self, name: &str, value: Value) -> Self {
        self.body[name] = value;
        self
    }

    /// The error as it stands in a body or an event.
    pub(crate) fn json(&self) -> Value {
        json!({"error": self.body})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after));
        }
        response
    }
}

impl From<KqlError> for ApiError {
    fn from(error: KqlError) -> Self {
        let body = json!({
            "code": "bad_query", "message": error.message, "position": error.position, "length": error.length,
            "expected": error.expected, "suggestion": error.suggestion,
        });
        Self { status: StatusCode::BAD_REQUEST, body, retry_after: 1 }
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::AuditUnavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error),
            AccessError::Denied { .. } => Self::new(StatusCode::FORBIDDEN, "forbidden", error),
            AccessError::Withheld(_) => Self::new(StatusCode::FORBIDDEN, "over_export", error),
        }
    }
}

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        let (status, code) = match &error {
            DirectoryError::Invalid(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            DirectoryError::Exists(_) | DirectoryError::Refused(_) => (StatusCode::CONFLICT, "conflict"),
            DirectoryError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            DirectoryError::NotRecognised => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            DirectoryError::CodeNeeded => (StatusCode::UNAUTHORIZED, "code_needed"),
            DirectoryError::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts"),
            DirectoryError::Catalog(_) | DirectoryError::Corrupt(..) => {
                error!(%error, "people and tokens cannot be read or written");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
        };
        let retry_after = if let DirectoryError::TooMany(seconds) = error { seconds } else { 1 };
        Self { retry_after, ..Self::new(status, code, error) }
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        error!(%error, "the catalog cannot be read");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Kql(error) => error.into(),
            QueryError::Sql { message, position, suggestion } => {
                let mut body = json!({"code": "bad_query", "message": message, "suggestion": suggestion});
                if let Some(position) = position {
                    body["position"] = position.into();
                }
                Self { status: StatusCode::BAD_REQUEST, body, retry_after: 1 }
            }
            QueryError::Destroyed(_) => Self::new(StatusCode::GONE, "destroyed", error),
            QueryError::NoTemplateIds => Self::bad_request(error),
            QueryError::Denied(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", error),
            QueryError::Withheld(_) => Self::new(StatusCode::FORBIDDEN, "withheld", error),
            QueryError::Damaged(_) => {
                error!(%error, "what is stored does not prove a record");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", error)
            }
            QueryError::OverTime(_) | QueryError::OverMemory | QueryError::Cancelled => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "over_budget", error)
            }
            QueryError::Segment(_) | QueryError::Row(_) | QueryError::Internal(_) => {
                // Whoever runs the server must see damage even if the asker does not report it.
                error!(%error, "a query failed");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error)
            }
        }
    }
}

pub(crate) async fn no_such_path() -> ApiError {
    ApiError::not_found("there is no such path; docs/api.md lists those there are")
}
