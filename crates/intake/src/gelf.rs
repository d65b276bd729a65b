//! GELF over UDP, TCP and HTTP.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use logkeep_record::{Record, Resource};
use logkeep_wire::documents::{documents, text};
use logkeep_wire::frame::{Frame, Framer};
use logkeep_wire::gelf;

use crate::Intake;
use crate::counters::Protocol;
use crate::documents::Bodies;
use crate::refusal::Refusal;
use crate::request::{TENANT, answer, refused};
use crate::unanswered::{Assembled, Assembler, Dialect};

/// Reads GELF off streams and datagrams.
pub(crate) struct Gelf(Arc<Resource>);

impl Default for Gelf {
    fn default() -> Self {
        Self(Resource::from_attributes(Vec::new()))
    }
}

impl Dialect for Gelf {
    const PROTOCOL: Protocol = Protocol::Gelf;
    type Assembler = gelf::Assembler;

    fn framer() -> Framer {
        Framer::nul()
    }

    fn record<'a>(&mut self, message: &Frame<'a>, received_ns: i64) -> Record<'a> {
        gelf::record(message, received_ns, self.0.clone())
    }
}

impl Assembler for gelf::Assembler {
    fn take<'a>(&mut self, datagram: &'a [u8], source: IpAddr, now_ns: i64) -> Assembled<'a> {
        let gelf::Assembled { message, lost } = Self::take(self, datagram, source, now_ns);
        Assembled { message, lost }
    }
}

impl Intake {
    /// `POST /gelf`.
    pub fn gelf_router(&self) -> Router {
        Router::new().route("/gelf", post(receive)).with_state(self.clone())
    }
}

async fn receive(State(intake): State<Intake>, request: Request) -> Response {
    let sender = intake.sender(Protocol::Gelf, TENANT, &request);
    let result = async {
        let incoming = intake.read(&sender, request).await?;
        let read = |bodies: &mut Bodies<'_>, body: &[u8], received_ns| {
            for document in documents(&text(body)) {
                match document {
                    Ok(document) => bodies.push(gelf::document(document, received_ns, bodies.resource()))?,
                    Err(reason) => bodies.reject(reason),
                }
            }
            Ok(())
        };
        intake.store_body(incoming, None, read).await
    };
    match result.await {
        Ok(done) => match done.rejection() {
            None => answer(202, "", ""),
            Some(reason) => answer(400, "text/plain; charset=utf-8", reason),
        },
        Err(refusal) => {
            let refusal: Refusal = refusal;
            intake.count_refusal(&sender, &refusal);
            refused(&refusal, answer(refusal.status(), "text/plain; charset=utf-8", format!("{refusal}\n")))
        }
    }
}
