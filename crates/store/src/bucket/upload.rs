//! Writing objects from sources that are read once, with a bounded part of them in memory.
//!
//! A small object is one request, and several are under way at a time; a large one is sent in parts, and is there only when
//! the last part is and the upload was completed. The parts of one that failed are aborted, as they would be paid for.

use std::io::{self, Read};

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};
use tokio::task::JoinSet;

use super::Bucket;
use crate::error::StoreError;

/// Requests that are under way at a time, and bytes in them.
const WINDOW_REQUESTS: usize = 16;
const WINDOW_PARTS: usize = 4;
/// Parts that S3 takes for one object.
const MAX_PARTS: usize = 10_000;

/// Requests under way.
#[derive(Debug, Default)]
struct Window {
    running: JoinSet<(usize, Result<(), StoreError>)>,
    bytes: usize,
}

impl Window {
    /// Waits until there is room for `bytes` among `limit`.
    async fn room(&mut self, bytes: usize, limit: usize) -> Result<(), StoreError> {
        while !self.running.is_empty() && (self.bytes + bytes > limit || self.running.len() >= WINDOW_REQUESTS) {
            self.next().await?;
        }
        Ok(())
    }

    fn spawn(&mut self, bytes: usize, request: impl Future<Output = Result<(), StoreError>> + Send + 'static) {
        self.bytes += bytes;
        self.running.spawn(async move { (bytes, request.await) });
    }

    async fn next(&mut self) -> Result<(), StoreError> {
        match self.running.join_next().await {
            None => Ok(()),
            Some(Ok((bytes, done))) => {
                self.bytes -= bytes;
                done
            }
            Some(Err(panic)) => Err(StoreError::io("upload", "written", io::Error::other(panic))),
        }
    }

    async fn settle(&mut self) -> Result<(), StoreError> {
        while !self.running.is_empty() {
            self.next().await?;
        }
        Ok(())
    }
}

/// Objects on their way into a bucket.
#[derive(Debug)]
pub struct Uploads {
    bucket: Bucket,
    window: Window,
}

/// An object that was read to its end and is not there yet.
#[derive(Debug)]
pub enum Pending {
    /// It fits into one request.
    Small(Bytes),
    /// Its parts are sent.
    Large(Large),
}

/// An object that is sent in parts.
#[derive(Debug)]
pub struct Large {
    upload: Box<dyn MultipartUpload>,
    window: Window,
    url: String,
    parts: usize,
}

impl Uploads {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self { bucket, window: Window::default() }
    }

    /// Reads a source to its end; what is large is sent meanwhile. Blocks on the source. Nothing has the name until
    /// [`Uploads::finish`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], of the source or the store. What was sent is then taken back.
    pub async fn read(&mut self, name: &str, source: &mut (dyn Read + Send)) -> Result<Pending, StoreError> {
        let (size, url) = (self.bucket.part_bytes, self.bucket.url_of(name));
        let first = part(source, size, &url)?;
        if first.len() < size {
            return Ok(Pending::Small(first));
        }
        let upload = self.bucket.store.put_multipart(&self.bucket.at(name)?).await;
        let upload = upload.map_err(self.bucket.failed(name, "written"))?;
        let mut large = Large { upload, window: Window::default(), url, parts: 0 };
        match large.send(first, source, size).await {
            Ok(()) => Ok(Pending::Large(large)),
            Err(error) => {
                large.abort().await;
                Err(error)
            }
        }
    }

    /// Gives an object its name. It may still be under way on return: see [`Uploads::settle`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], of this one or one before it.
    pub async fn finish(&mut self, name: &str, pending: Pending) -> Result<(), StoreError> {
        match pending {
            Pending::Large(large) => large.complete().await,
            Pending::Small(bytes) => {
                self.window.room(bytes.len(), self.bucket.part_bytes * WINDOW_PARTS).await?;
                let (bucket, at, name) = (self.bucket.clone(), self.bucket.at(name)?, name.to_owned());
                self.window.spawn(bytes.len(), async move {
                    let put = bucket.store.put(&at, PutPayload::from(bytes)).await;
                    put.map(drop).map_err(bucket.failed(&name, "written"))
                });
                Ok(())
            }
        }
    }

    /// Waits until everything is there, durable.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: something is not.
    pub async fn settle(&mut self) -> Result<(), StoreError> {
        self.window.settle().await
    }
}

impl Pending {
    /// Gives up; nothing is left of it in the store, unless the store does not answer.
    pub async fn abort(self) {
        if let Self::Large(large) = self {
            large.abort().await;
        }
    }
}

impl Large {
    async fn send(&mut self, first: Bytes, source: &mut (dyn Read + Send), size: usize) -> Result<(), StoreError> {
        let mut next = first;
        while !next.is_empty() {
            self.parts += 1;
            if self.parts > MAX_PARTS {
                let cause = format!("it is longer than {MAX_PARTS} parts of {size} bytes, all that a store takes");
                return Err(StoreError::io(&self.url, "written", io::Error::other(cause)));
            }
            self.window.room(next.len(), size * WINDOW_PARTS).await?;
            let (bytes, url) = (next.len(), self.url.clone());
            let sent = self.upload.put_part(PutPayload::from(next));
            self.window
                .spawn(bytes, async move { sent.await.map_err(|cause| StoreError::remote(&url, "written", cause)) });
            next = part(source, size, &self.url)?;
        }
        self.window.settle().await
    }

    async fn complete(mut self) -> Result<(), StoreError> {
        match self.upload.complete().await {
            Ok(_) => Ok(()),
            Err(cause) => {
                let error = StoreError::remote(&self.url, "written", cause);
                self.abort().await;
                Err(error)
            }
        }
    }

    /// Parts are taken back as far as the store answers; a rule of the bucket removes the rest.
    async fn abort(mut self) {
        self.window.running.shutdown().await;
        let _ = self.upload.abort().await;
    }
}

/// The next `size` bytes of a source; fewer at its end.
fn part(source: &mut dyn Read, size: usize, url: &str) -> Result<Bytes, StoreError> {
    let mut bytes = Vec::with_capacity(size.min(1 << 16));
    source.take(size as u64).read_to_end(&mut bytes).map_err(|cause| StoreError::Unavailable {
        path: url.to_owned(),
        what: "written: its source fails",
        cause,
    })?;
    Ok(bytes.into())
}
