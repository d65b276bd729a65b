//! Changed files, taken up while connections are open.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use super::files::{Content, TlsError};
use super::{Loaded, Tls};
use crate::counters::add;
use crate::watch::WATCH_PERIOD;

/// So long before a certificate expires it is said, and again every day.
const EXPIRES_SOON_S: i64 = 14 * 86_400;
const SAID_AGAIN: Duration = Duration::from_secs(86_400);

/// What came of looking at the files.
#[derive(Debug)]
pub(crate) enum Seen {
    /// They are as they were.
    Same,
    /// They have changed and are in use.
    Taken,
    /// They have changed, perhaps not all of them yet.
    Unfinished,
    /// They have changed, stay so, and cannot be used.
    Refused(TlsError),
}

impl Tls {
    /// Looks at the files, and takes them up if they have changed. Blocks as long as the disk takes.
    pub(crate) fn look(&self) -> Seen {
        let current = self.current.lock().digest;
        let content = match Content::read(&self.options) {
            Ok(content) => content,
            Err(error) => return self.refuse([0; 32], error),
        };
        let digest = content.digest();
        if digest == current {
            self.refusals.clear();
            return Seen::Same;
        }
        match content.load(&self.options) {
            Ok(loaded) => {
                *self.current.lock() = Arc::new(loaded);
                self.refusals.clear();
                add(&self.changes, 1);
                Seen::Taken
            }
            Err(error) => self.refuse(digest, error),
        }
    }

    fn refuse(&self, digest: [u8; 32], error: TlsError) -> Seen {
        if self.refusals.is_to_be_said(digest) {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return Seen::Refused(error);
        }
        if self.refusals.is_failing() { Seen::Same } else { Seen::Unfinished }
    }

    fn say_validity(&self) {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let file = self.options.certificate.display();
        let Loaded { valid_from_s, expires_s, .. } = **self.current.lock();
        if now_s >= expires_s {
            tracing::error!(%file, "this certificate has expired, and senders will refuse it");
        } else if now_s < valid_from_s {
            tracing::warn!(%file, "this certificate is not valid yet, and senders will refuse it");
        } else if expires_s - now_s < EXPIRES_SOON_S {
            let hours = (expires_s - now_s) / 3_600;
            tracing::warn!(%file, hours, "this certificate expires soon; a new one is taken up without a restart");
        }
    }
}

/// Takes up changed files until `stop`, and says which certificates expire.
pub async fn watch_certificates(all: Vec<Arc<Tls>>, stop: CancellationToken) {
    let mut said = None;
    loop {
        let again = said.is_none_or(|at: tokio::time::Instant| at.elapsed() >= SAID_AGAIN);
        if again {
            all.iter().for_each(|tls| tls.say_validity());
            said = Some(tokio::time::Instant::now());
        }
        if tokio::time::timeout(WATCH_PERIOD, stop.cancelled()).await.is_ok() {
            return;
        }
        for tls in &all {
            let looking = tls.clone();
            let seen = tokio::task::spawn_blocking(move || looking.look()).await;
            let file = tls.options.certificate.display();
            match seen {
                Ok(Seen::Taken) => {
                    tracing::info!(%file, "the changed certificate, key or authorities are in use");
                    tls.say_validity();
                }
                Ok(Seen::Refused(error)) => {
                    tracing::error!(%file, %error, "changed files of TLS cannot be used; those before stay in use");
                }
                Ok(Seen::Same | Seen::Unfinished) => {}
                Err(error) => tracing::error!(%file, %error, "files of TLS could not be looked at"),
            }
        }
    }
}
