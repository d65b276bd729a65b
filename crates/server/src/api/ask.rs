//! Doing what may take two people: at once, or once another has approved it.

use axum::http::StatusCode;
use axum::response::Response;
use logkeep_access::{Act, Action, By, Grant, Identity, Needed, Request, Signed, UserName};
use serde_json::{Value, json};

use super::answer::{JSON, outcome, release};
use super::people::done;
use super::{ApiError, AppState, render};

/// A request as it is shown.
pub(super) fn request_json(request: &Request) -> Value {
    json!({
        "id": request.id,
        "hash": request.hash(),
        "what": request.act.to_string(),
        "text": request.text,
        "requester": request.requester.as_str(),
        "about": request.act.target().map(UserName::as_str),
        "requested": render::time(request.requested_ns),
        "expires": render::time(request.expires_ns),
    })
}

impl AppState {
    /// Does something for whoever may, or keeps it until somebody else has approved it.
    pub(super) async fn ask(
        &self,
        who: &Identity,
        action: Action,
        act: Act,
        password: Option<&str>,
    ) -> Result<Response, ApiError> {
        let grant = self.leave(who, action, act.to_string()).await?;
        let (grant, ()) = outcome(grant, self.check_act(&act)).await?;
        let (grant, needed) = outcome(grant, self.directory.needed(&act, who)).await?;
        match needed {
            Needed::Nobody => self.carry_out(grant, &act, password, By::One(who.user())).await,
            Needed::Statement(signed) => {
                let (grant, ()) = outcome(grant, self.note_statement(&act, &signed, who).await).await?;
                self.carry_out(grant, &act, password, By::Statement(&signed.note)).await
            }
            Needed::Approval(_) if password.is_some() => {
                let what = "who is approved by another chooses the password by the link that the approval gives: leave `password` out";
                outcome(grant, Err(ApiError::bad_request(what))).await.map(|(_, response)| response)
            }
            Needed::Approval(request) => self.wait(grant, request).await,
        }
    }

    /// Writes a statement into the trail, which is before anything is done by it.
    pub(super) async fn note_statement(&self, act: &Act, signed: &Signed, who: &Identity) -> Result<(), ApiError> {
        let Signed { statement, note } = signed;
        let subject = vec![
            ("enduser.id", who.name().to_owned()),
            ("audit.object", act.to_string()),
            ("audit.request", statement.id.clone()),
            ("audit.hash", statement.hash()),
            ("audit.statement", note.clone()),
            ("audit.key", self.directory.approval_key().to_string()),
        ];
        let body = format!("{}: {act}, asked for by {}", statement.ground, statement.requester);
        Ok(self.access.note("audit.approval.granted", body, subject).await?)
    }

    /// Writes what becomes of a request into the trail, which is before it does.
    pub(super) async fn note_request(&self, event: &'static str, request: &Request, by: &str) -> Result<(), ApiError> {
        let subject = vec![
            ("enduser.id", by.to_owned()),
            ("audit.object", request.act.to_string()),
            ("audit.request", request.id.clone()),
            ("audit.hash", request.hash()),
            ("audit.text", request.text.clone()),
            ("audit.requester", request.requester.to_string()),
        ];
        Ok(self.access.note(event, format!("{by}: {}", request.act), subject).await?)
    }

    async fn wait(&self, grant: Grant, request: Request) -> Result<Response, ApiError> {
        let requester = request.requester.as_str();
        let (grant, ()) = outcome(grant, self.forget_expired().await).await?;
        let (grant, ()) = outcome(grant, self.directory.check_request(&request)).await?;
        let (grant, ()) =
            outcome(grant, self.note_request("audit.approval.requested", &request, requester).await).await?;
        let shown = json!({"approval": request_json(&request)});
        let (grant, ()) = outcome(grant, self.directory.keep_request(request).await).await?;
        let mut response = release(grant, shown.to_string(), JSON, 1).await?;
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }

    pub(super) async fn carry_out(
        &self,
        grant: Grant,
        act: &Act,
        password: Option<&str>,
        by: By<'_>,
    ) -> Result<Response, ApiError> {
        let (grant, link) = outcome(grant, self.directory.carry_out(act, password, by).await).await?;
        if let Act::DestroyKeys { tenant } = act {
            return self.destroy(grant, tenant).await;
        }
        if Self::is_about_keeping(act) {
            return self.kept(grant, act, by).await;
        }
        let mut shown = json!({"user": act.target().map(UserName::as_str)});
        if let Some(link) = link {
            shown["link"] = json!(link);
        }
        done(grant, shown).await
    }
}
