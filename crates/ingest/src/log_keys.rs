//! The keys of tenants in a file of the log.
//!
//! A key provider may be slow, or silent for a while. The tenant whose key is awaited must not keep others from the log,
//! so the writer never waits for a provider: requests of that tenant step aside, and come back to the queue with the key.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use logkeep_cipher::{DataKey, WrappedKey};
use logkeep_record::TenantId;
use logkeep_store::{KeyProvider, KeyProviderError};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::engine::Shared;
use crate::wal::WalFile;
use crate::writer::{CommitError, Message, QUEUE, Request};

/// How long one answer of a key provider is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A tenant's key for one file of the log.
pub(crate) struct LogKey {
    file: u64,
    tenant: TenantId,
    key: DataKey,
    wrapped: WrappedKey,
}

type Wrapping = Pin<Box<dyn Future<Output = Result<LogKey, KeyProviderError>> + Send>>;

/// Requests that wait for the key of their tenant, at most as many as the queue holds for each.
type Aside = Arc<Mutex<HashMap<TenantId, Vec<Request>>>>;

pub(crate) struct LogKeys {
    shared: Arc<Shared>,
    queue: mpsc::WeakSender<Message>,
    aside: Aside,
}

impl LogKeys {
    pub(crate) fn new(shared: Arc<Shared>, queue: mpsc::WeakSender<Message>) -> Self {
        Self { shared, queue, aside: Aside::default() }
    }

    /// Those requests whose tenants have their key in the file now. The others step aside, or are refused.
    pub(crate) fn ready(&self, wal: &mut WalFile, group: Vec<Request>) -> Vec<Request> {
        group.into_iter().filter_map(|request| self.admit(wal, request)).collect()
    }

    /// A request of several tenants may step aside for one after the other.
    fn admit(&self, wal: &mut WalFile, mut request: Request) -> Option<Request> {
        loop {
            let missing = request.tenants().find(|tenant| !wal.knows(tenant)).cloned();
            let Some(tenant) = missing else { return Some(request) };
            let at_hand = |key: &mut LogKey| key.file == wal.number() && key.tenant == tenant;
            if let Some(key) = request.log_key.take_if(at_hand) {
                wal.add_key(&tenant, &key.key, &key.wrapped.0);
                continue;
            }
            if let Some(waiting) = self.aside.lock().get_mut(&tenant) {
                if waiting.len() < QUEUE {
                    waiting.push(request);
                } else {
                    refuse(request, "too many requests wait for the key of their tenant");
                }
                return None;
            }
            let mut wrapping = self.wrap(wal.number(), &tenant);
            match self.at_once(&mut wrapping) {
                Poll::Ready(Ok(key)) => wal.add_key(&tenant, &key.key, &key.wrapped.0),
                Poll::Ready(Err(error)) => {
                    refuse(request, &error.to_string());
                    return None;
                }
                Poll::Pending => {
                    self.step_aside(tenant, request, wrapping);
                    return None;
                }
            }
        }
    }

    fn wrap(&self, file: u64, tenant: &TenantId) -> Wrapping {
        let (keys, key, tenant) = (self.shared.keys.clone(), self.shared.random.key(), tenant.clone());
        let context = key_context(file, &tenant);
        Box::pin(async move {
            let wrapped = keys.wrap(&key, &context).await?;
            Ok(LogKey { file, tenant, key, wrapped })
        })
    }

    /// A key file answers without waiting for anything; no other thread has to be asked.
    fn at_once(&self, wrapping: &mut Wrapping) -> Poll<Result<LogKey, KeyProviderError>> {
        let _in_runtime = self.shared.runtime.enter();
        wrapping.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    fn step_aside(&self, tenant: TenantId, request: Request, wrapping: Wrapping) {
        let (aside, queue) = (self.aside.clone(), self.queue.clone());
        aside.lock().insert(tenant.clone(), vec![request]);
        self.shared.runtime.spawn(async move {
            let wrapped = in_time(wrapping).await;
            let waiting = aside.lock().remove(&tenant).unwrap_or_default();
            come_back(waiting, wrapped, &queue).await;
        });
    }
}

/// To the queue again, the first with the key; or to the sender with a refusal.
async fn come_back(
    waiting: Vec<Request>,
    wrapped: Result<LogKey, KeyProviderError>,
    queue: &mpsc::WeakSender<Message>,
) {
    let mut key = match wrapped {
        Ok(key) => Some(key),
        Err(error) => {
            let what = error.to_string();
            return waiting.into_iter().for_each(|request| refuse(request, &what));
        }
    };
    // Without an engine nobody writes any more, and a request that is dropped is told so.
    let Some(queue) = queue.upgrade() else { return };
    for mut request in waiting {
        request.log_key = key.take();
        drop(queue.send(Message::Commit(request)).await);
    }
}

fn refuse(request: Request, what: &str) {
    drop(request.reply.send(Err(CommitError::Unavailable(what.to_owned()))));
}

/// What a tenant's key in a file of the log is wrapped for.
pub(crate) fn key_context(file: u64, tenant: &TenantId) -> String {
    format!("wal/{file:012}/{tenant}")
}

pub(crate) async fn in_time<T>(
    answer: impl Future<Output = Result<T, KeyProviderError>>,
) -> Result<T, KeyProviderError> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(KeyProviderError::Silent(PATIENCE)))
}

/// Wraps a key, on a thread that may wait, but not for ever.
pub(crate) fn wrap_blocking(shared: &Shared, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError> {
    let keys: &dyn KeyProvider = &*shared.keys;
    shared.runtime.block_on(async { in_time(keys.wrap(key, context)).await })
}

/// Unwraps a key, likewise.
pub(crate) fn unwrap_blocking(
    shared: &Shared,
    wrapped: &WrappedKey,
    context: &str,
) -> Result<DataKey, KeyProviderError> {
    shared.runtime.block_on(async { in_time(shared.keys.unwrap(wrapped, context)).await })
}
