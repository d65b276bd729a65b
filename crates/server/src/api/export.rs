//! All records of a selection as a file (docs/api.md, "Export").
//!
//! A task finds the records a window at a time, counts them as read out, writes them, and hands the bytes to the connection in pieces. Of a
//! file that is cut short nothing must look whole: the connection ends well only after the last piece, and breaks otherwise.

mod columns;
mod csv;
mod format;
mod parquet;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, Stream};
use jiff::Timestamp;
use logkeep_access::{Action, Ending, Grant, Identity, Totals};
use logkeep_query::exec::{Bucket, Budget, Dataset, Found, QueryError};
use logkeep_query::{Export, Selection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::warn;

use self::columns::Columns;
use self::format::{Format, Writer};
use super::answer::outcome;
use super::caller::Caller;
use super::search::Parameters;
use super::{ApiError, AppState};

/// Exports that may go on at once; each takes a few windows of memory.
const AT_ONCE: usize = 2;
/// What is handed to the connection at a time, and how much of that may wait there.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 4;
/// How long a reader may take for a piece, and for all.
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3_600);

pub(crate) fn exports_at_once() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE))
}

/// Part of the file, or that it is whole.
enum Piece {
    Part(Bytes),
    End,
}

/// Why an export ended early.
struct CutShort {
    ending: Ending,
    why: String,
}

impl CutShort {
    fn failed(why: impl ToString) -> Self {
        Self { ending: Ending::Failed, why: why.to_string() }
    }

    fn gone() -> Self {
        Self { ending: Ending::Abandoned, why: "whoever asked for it has gone".to_owned() }
    }
}

pub(crate) async fn export(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (selection, order) = (params.selection(Dataset::Logs)?, params.order()?);
    let (format, columns) = (Format::of(&params)?, Columns::of(&params)?);
    let limit = params.count("limit", usize::MAX, usize::MAX)? as u64;
    let writer = Writer::new(format, columns)?;
    let turn = state.exports.clone().try_acquire_owned().map_err(|_| too_many())?;
    let mut subject = params.subject("export");
    subject.push(("audit.format", format.name().to_owned()));
    let grant = state.access.authorize(&who, Action::Query, &subject).await?;
    let grant = within_limit(&state, grant, &selection, limit).await?;
    let records = state.query.export(&grant, selection, order, limit, Budget::new(LONGEST));
    let name = file_name(&state, format);
    let body = begin(Running { state, who, records, writer, left: Totals::default(), _turn: turn }, grant).await?;
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::CONTENT_DISPOSITION, name);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn too_many() -> ApiError {
    let what = format!("{AT_ONCE} exports are going on, which is as many as may; try again when one has ended");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_exports", what)
}

fn file_name(state: &AppState, format: Format) -> HeaderValue {
    let now = Timestamp::from_nanosecond(state.ingest.clock().now_ns().into()).unwrap_or_default();
    let name = format!("attachment; filename=\"logs-{}.{}\"", now.strftime("%Y%m%dT%H%M%SZ"), format.name());
    HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"))
}

/// Refuses more than one answer may have before any of it is read, instead of when a part has left.
async fn within_limit(state: &AppState, grant: Grant, selection: &Selection, limit: u64) -> Result<Grant, ApiError> {
    let Some(most) = grant.most_rows().filter(|most| *most < limit) else { return Ok(grant) };
    let counted = state.query.histogram(&grant, selection, 1, &state.query.budget()).await;
    let (grant, counted) = outcome(grant, counted).await?;
    let rows = counted.buckets.iter().map(Bucket::total).sum::<u64>().min(limit);
    if rows > most {
        grant.release().await?;
        if let Err(error) = grant.export(Totals { rows, bytes: 0 }).await {
            grant.withhold();
            return Err(error.into());
        }
    }
    Ok(grant)
}

/// An export that goes on.
struct Running {
    state: AppState,
    who: Identity,
    records: Export,
    writer: Writer,
    /// What has left so far.
    left: Totals,
    _turn: OwnedSemaphorePermit,
}

/// Finds the first records before the answer begins, so that what is wrong with the question, or too much, has a status of its own.
async fn begin(mut running: Running, grant: Grant) -> Result<impl Stream<Item = io::Result<Bytes>> + use<>, ApiError> {
    let first = running.records.next(&grant).await;
    let (grant, first) = outcome(grant, first).await?;
    let is_last = first.is_empty();
    let written = running.written(first).await;
    let (grant, (bytes, rows)) = outcome(grant, written).await?;
    grant.release().await?;
    let after = running.after(&bytes, rows);
    if let Err(error) = grant.export(after).await {
        grant.withhold();
        return Err(error.into());
    }
    running.left = after;
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::spawn(running.run(grant, bytes, is_last, sender));
    Ok(whole_or_broken(receiver))
}

/// The pieces; an error if they stop before the end.
fn whole_or_broken(receiver: mpsc::Receiver<Piece>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Part(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the export was cut short")), None)),
        }
    })
}

impl Running {
    async fn run(mut self, grant: Grant, first: Vec<u8>, is_last: bool, sender: mpsc::Sender<Piece>) {
        let stop = self.state.stop.clone();
        let ended = tokio::select! {
            ended = self.send_all(&grant, first, is_last, &sender) => ended,
            () = sender.closed() => Err(CutShort::gone()),
            () = stop.cancelled() => Err(CutShort::failed("the server stops")),
        };
        let ending = match ended {
            Ok(()) => Ending::Answered,
            Err(CutShort { ending, why }) => {
                warn!(grant = grant.id(), why, "an export was cut short");
                ending
            }
        };
        grant.end(ending, self.left);
    }

    async fn send_all(
        &mut self,
        grant: &Grant,
        mut bytes: Vec<u8>,
        mut is_last: bool,
        sender: &mpsc::Sender<Piece>,
    ) -> Result<(), CutShort> {
        loop {
            send(bytes, sender).await?;
            if is_last {
                return hand_over(Piece::End, sender).await;
            }
            if !self.state.still_may(&self.who, Action::Query) {
                return Err(CutShort::failed("whoever asked for it may not read this any more"));
            }
            let found = self.records.next(grant).await.map_err(CutShort::failed)?;
            is_last = found.is_empty();
            let written = self.written(found).await.map_err(CutShort::failed)?;
            let after = self.after(&written.0, written.1);
            let counted = grant.export_more(self.left, after).await;
            counted.map_err(|error| CutShort { ending: Ending::Withheld, why: error.to_string() })?;
            (bytes, self.left) = (written.0, after);
        }
    }

    /// Records as part of the file, and how many they are; no records end it.
    async fn written(&mut self, found: Vec<Found>) -> Result<(Vec<u8>, u64), QueryError> {
        let rows = found.len() as u64;
        let mut writer = std::mem::replace(&mut self.writer, Writer::Ended);
        let work = move || {
            let bytes = if found.is_empty() { writer.end() } else { writer.write(&found) };
            bytes.map(|bytes| (writer, bytes))
        };
        let done = tokio::task::spawn_blocking(work).await;
        let (writer, bytes) = done.map_err(|error| QueryError::Internal(error.to_string()))??;
        self.writer = writer;
        Ok((bytes, rows))
    }

    fn after(&self, bytes: &[u8], rows: u64) -> Totals {
        Totals { rows: self.left.rows + rows, bytes: self.left.bytes + bytes.len() as u64 }
    }
}

async fn send(bytes: Vec<u8>, sender: &mpsc::Sender<Piece>) -> Result<(), CutShort> {
    let mut rest = Bytes::from(bytes);
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        hand_over(Piece::Part(piece), sender).await?;
    }
    Ok(())
}

async fn hand_over(piece: Piece, sender: &mpsc::Sender<Piece>) -> Result<(), CutShort> {
    match tokio::time::timeout(PATIENCE, sender.send(piece)).await {
        Ok(sent) => sent.map_err(|_| CutShort::gone()),
        Err(_) => Err(CutShort {
            ending: Ending::Abandoned,
            why: format!("nothing of it was taken for {} s", PATIENCE.as_secs()),
        }),
    }
}
