//! `systemd-journal-upload`: entries of a journal, in one request that may never end.
//!
//! The uploader saves how far it is when the request ends with a good status, and one that follows a journal never gets
//! there, so entries are stored while they arrive. A broken upload goes on from the saved place, and entries may then be
//! stored twice.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::BytesMut;
use http_body_util::BodyExt;
use logkeep_record::Resource;
use logkeep_wire::journal::{Extent, record};

use crate::Intake;
use crate::counters::{Protocol, add};
use crate::entry::Entry;
use crate::origin::Origin;
use crate::prepare::{Prepared, Preparing};
use crate::refusal::{Kind, Refusal};
use crate::request::{TENANT, answer, refused};

/// Entries that are stored together at most, in bytes.
const GROUP_BYTES: usize = 1 << 20;
/// How long to wait for more before what is there is stored.
const LULL: Duration = Duration::from_millis(20);
const TEXT: &str = "text/plain; charset=utf-8";

impl Intake {
    /// `POST /upload`.
    pub fn journal_router(&self) -> Router {
        Router::new().route("/upload", post(upload)).with_state(self.clone())
    }
}

async fn upload(State(intake): State<Intake>, request: Request) -> Response {
    let sender = intake.sender(Protocol::Journal, TENANT, &request);
    let result = async {
        let origin = sender.let_in()?.clone();
        add(&intake.inner.counters.of(Protocol::Journal).requests, 1);
        let Ok(_place) = intake.inner.uploads.clone().try_acquire_owned() else {
            return Err(Refusal::new(Kind::Busy, "all places for uploads of journals are taken, come back later"));
        };
        Upload { intake: intake.clone(), origin, buffer: BytesMut::new(), extent: Extent::default(), whole: 0 }
            .run(request.into_body())
            .await
    };
    match result.await {
        Ok(()) => answer(202, TEXT, "OK.\n"),
        Err(refusal) => {
            intake.count_refusal(&sender, &refusal);
            refused(&refusal, answer(refusal.status(), TEXT, format!("{refusal}\n")))
        }
    }
}

struct Upload {
    intake: Intake,
    origin: Origin,
    buffer: BytesMut,
    extent: Extent,
    /// Bytes at the front of the buffer that are whole entries.
    whole: usize,
}

impl Upload {
    async fn run(mut self, mut body: Body) -> Result<(), Refusal> {
        loop {
            let next =
                if self.whole > 0 { tokio::time::timeout(LULL, body.frame()).await } else { Ok(body.frame().await) };
            match next {
                Err(_) => self.store().await?,
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    self.store().await?;
                    let message = format!("the upload broke off ({error}); what came before is stored");
                    return Err(Refusal::new(Kind::Malformed, message));
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.take(&data).await?;
                    }
                }
            }
        }
        // The last entry need not be followed by an empty line.
        if self.buffer.len() > self.whole {
            self.take(b"\n\n").await?;
        }
        self.store().await
    }

    async fn take(&mut self, data: &[u8]) -> Result<(), Refusal> {
        self.buffer.extend_from_slice(data);
        loop {
            match self.extent.find(&self.buffer[self.whole..]) {
                Ok(Some(length)) => self.whole += length,
                Ok(None) => break,
                Err(error) => {
                    self.store().await?;
                    return Err(Refusal::new(Kind::Malformed, error.to_string()));
                }
            }
        }
        if self.whole >= GROUP_BYTES { self.store().await } else { Ok(()) }
    }

    /// Stores the entries that are whole.
    async fn store(&mut self) -> Result<(), Refusal> {
        if self.whole == 0 {
            return Ok(());
        }
        let entries = self.buffer.split_to(std::mem::take(&mut self.whole)).freeze();
        let (intake, origin) = (self.intake.clone(), self.origin.of_bytes(entries.len()));
        let entry = intake.entry(&origin);
        add(&intake.inner.counters.of(Protocol::Journal).bytes, entries.len());
        Intake::to_the_end(async move {
            let _place = intake.admit(Protocol::Journal).await?;
            let received_ns = intake.now_ns();
            let prepared = intake.process(move || prepare(entry, &entries, received_ns)).await??;
            Ok(intake.commit(&origin, prepared, None).await.map(drop)?)
        })
        .await?
    }
}

fn prepare(entry: Entry, entries: &Bytes, received_ns: i64) -> Result<Prepared, Refusal> {
    let resource = Resource::from_attributes(Vec::new());
    let mut preparing = Preparing::new(entry);
    let mut rest = &entries[..];
    while let Ok(Some(length)) = Extent::default().find(rest) {
        if let Some(record) = record(&rest[..length], received_ns, resource.clone()) {
            preparing.push(record)?;
        }
        rest = &rest[length..];
    }
    preparing.finish()
}
