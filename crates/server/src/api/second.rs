//! The caller's second factor: codes of an app, and recovery codes.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use logkeep_access::{Act, Action, Grant, Identity, UserName};
use qrcode::QrCode;
use qrcode::render::svg::Color;
use serde::Deserialize;
use serde_json::json;

use super::answer::outcome;
use super::caller::{Caller, Enrolling};
use super::people::done;
use super::session::body;
use super::{ApiError, AppState};

/// Pixels of a side at least, where nobody says how large it is to be.
const QR_PIXELS: u32 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Both {
    password: String,
    code: String,
}

/// Leave to change one's own second factor, and whose it is.
async fn leave(state: &AppState, who: &Identity, what: &str) -> Result<(Grant, UserName), ApiError> {
    let Some(name) = who.user().cloned() else {
        return Err(ApiError::bad_request("only a person has a second factor"));
    };
    let grant = state.leave(who, Action::OwnPassword, format!("users/{name}: {what}")).await?;
    Ok((grant, name))
}

/// The same for one who shows both factors anew in the body.
async fn leave_by_both(
    state: &AppState,
    who: &Identity,
    (headers, bytes): (&HeaderMap, &Bytes),
    what: &str,
) -> Result<(Grant, UserName), ApiError> {
    let Both { password, code } = body(headers, bytes, "{\"password\": \"…\", \"code\": \"123456\"}")?;
    let (grant, name) = leave(state, who, what).await?;
    let checked = state.directory.check_person(name.as_str(), &password, Some(&code), who.address()).await;
    let (grant, (name, _)) = outcome(grant, checked).await?;
    Ok((grant, name))
}

/// `POST /api/v1/second-factor`: a secret for an app, which is shown this once.
pub(crate) async fn begin(
    State(state): State<AppState>,
    Enrolling(who): Enrolling,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let Password { password } = body(&headers, &bytes, "{\"password\": \"…\"}")?;
    let (grant, name) = leave(&state, &who, "make a second factor").await?;
    // Whoever has only found a session must not take it over for good.
    let known = state.directory.check_password(name.as_str(), &password, who.address()).await;
    let (grant, name) = outcome(grant, known).await?;
    let (grant, made) = outcome(grant, state.directory.begin_second_factor(&name).await).await?;
    let code = QrCode::new(&made.uri).expect("a name and a secret are less than a code can hold");
    let picture = code.render::<Color<'_>>().min_dimensions(QR_PIXELS, QR_PIXELS).build();
    done(grant, json!({"secret": made.secret, "uri": made.uri, "qr": picture})).await
}

/// `PUT /api/v1/second-factor`: switches it on; the recovery codes are shown this once.
pub(crate) async fn confirm(
    State(state): State<AppState>,
    Enrolling(who): Enrolling,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let Code { code } = body(&headers, &bytes, "{\"code\": \"123456\"}")?;
    let (grant, name) = leave(&state, &who, "second factor on").await?;
    let confirmed = state.directory.confirm_second_factor(&name, &code, who.address()).await;
    let (grant, codes) = outcome(grant, confirmed).await?;
    done(grant, json!({"recovery_codes": codes})).await
}

/// `DELETE /api/v1/second-factor`: switches it off.
pub(crate) async fn end(
    State(state): State<AppState>,
    Caller(who): Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let (grant, name) = leave_by_both(&state, &who, (&headers, &bytes), "second factor off").await?;
    let (grant, ()) = outcome(grant, state.directory.end_second_factor(&name).await).await?;
    done(grant, json!({})).await
}

/// `POST /api/v1/second-factor/recovery`: new recovery codes, shown this once.
pub(crate) async fn renew(
    State(state): State<AppState>,
    Caller(who): Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let (grant, name) = leave_by_both(&state, &who, (&headers, &bytes), "new recovery codes").await?;
    let (grant, codes) = outcome(grant, state.directory.renew_recovery_codes(&name).await).await?;
    done(grant, json!({"recovery_codes": codes})).await
}

/// `DELETE /api/v1/users/{name}/second-factor`: somebody else's, who has lost their app.
pub(crate) async fn reset(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(user): Path<String>,
) -> Result<Response, ApiError> {
    let name = UserName::of_anybody(&user)?;
    if who.user() == Some(&name) {
        let grant = state.leave(&who, Action::ManageUsers, format!("users/{name}: reset the second factor")).await?;
        grant.fail();
        return Err(ApiError::conflict("your own is switched off with your password and a code"));
    }
    state.ask(&who, Action::ManageUsers, Act::ResetSecondFactor { user: name }, None).await
}
