//! How many requests are served at once.
//!
//! What a request becomes is many times its body, so memory is bounded by how many are decoded and stored at once. A
//! request waits for its place once its body is here (`body.rs` bounds those that are arriving), which the sender sees as
//! a slow server, and is refused only if that takes long.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedSemaphorePermit;

use crate::counters::{Protocol, add};
use crate::refusal::{Kind, Refusal};
use crate::{Inner, Intake};

/// The right to hold one body. Counts as one request under way.
pub(crate) struct Admission {
    inner: Arc<Inner>,
    protocol: Protocol,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.inner.counters.of(self.protocol).connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Intake {
    /// Waits for a place.
    pub(crate) async fn admit(&self, protocol: Protocol) -> Result<Admission, Refusal> {
        add(&self.inner.counters.of(protocol).requests, 1);
        let permit =
            tokio::time::timeout(self.inner.options.max_wait, self.inner.requests.clone().acquire_owned()).await;
        match permit {
            Ok(Ok(permit)) => {
                add(&self.inner.counters.of(protocol).connections, 1);
                Ok(Admission { inner: self.inner.clone(), protocol, _permit: permit })
            }
            Ok(Err(closed)) => Err(Refusal::defect(closed)),
            Err(_) => Err(Refusal::new(
                Kind::Busy,
                format!(
                    "all {} places for requests are taken, send again later",
                    self.inner.options.max_concurrent_requests
                ),
            )),
        }
    }

    /// Runs work for a processor beside the connections, and no more of it at once than there are processors.
    pub(crate) async fn process<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let _permit = self.inner.processors.clone().acquire_owned().await.map_err(Refusal::defect)?;
        tokio::task::spawn_blocking(work).await.map_err(Refusal::defect)
    }

    /// Runs `work` to its end even if whoever asked for it is gone.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Refusal> {
        tokio::spawn(work).await.map_err(Refusal::defect)
    }
}
