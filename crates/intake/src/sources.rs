//! Queues that are read, rather than listened to: Kafka and NATS.
//!
//! A queue keeps our position, and gives again whatever is behind it. So a position moves only when everything before it is
//! durable, and what comes again is known by the batch that it is in ([`lane`]): over a kill, and over a queue that forgets,
//! each message is stored once. While the store is busy nothing more is read, and the queue is what waits.
//!
//! Not here: what messages hold (`wire::queue`), how a batch becomes durable (`store.rs`).

mod kafka;
mod lag;
mod lane;
mod nats;
mod options;
mod store;
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use lag::Lags;
pub use lag::{Lag, SourceLags};
pub use options::{Common, KafkaOptions, NatsOptions, OutgoingTls, Sasl, SaslMechanism, SourceOptions, Start};

use crate::Intake;
use crate::receivers::Task;

/// Between attempts to reach a queue.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What was up for so long was well, and is tried again soon.
const WELL: Duration = Duration::from_secs(60);
/// How long to wait for more before what is there is stored.
const LULL: Duration = Duration::from_millis(5);

/// Why a queue cannot be read at the moment. It is tried again for as long as we run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Broken(String);

impl Broken {
    fn of(what: &str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

/// Why reading ends.
enum End {
    /// We stop, and some of what was read is not stored: it comes again.
    Stopping,
    /// The queue is away, or says no.
    Broken(Broken),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Intake {
    /// Reads a queue until `shutdown`.
    pub fn read_source(&self, options: SourceOptions, shutdown: CancellationToken) -> Task {
        let intake = self.clone();
        Box::pin(async move {
            let (kind, name) = (options.kind(), options.common().name.clone());
            let mut pause = FIRST_PAUSE;
            loop {
                let since = Instant::now();
                let end = match &options {
                    SourceOptions::Kafka(options) => kafka::read(&intake, options, &shutdown).await,
                    SourceOptions::Nats(options) => nats::read(&intake, options, &shutdown).await,
                };
                intake.set_lags(kind, &name, Vec::new());
                match end {
                    Ok(()) | Err(End::Stopping) => return,
                    Err(End::Broken(error)) => {
                        if since.elapsed() > WELL {
                            pause = FIRST_PAUSE;
                        }
                        tracing::warn!(kind, source = name, %error, again_in_s = pause.as_secs(), "a source cannot be read");
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shutdown.cancelled() => return,
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        })
    }
}

/// The first line of a file, which holds a password or the like.
fn secret(file: &std::path::Path) -> Result<String, Broken> {
    let read = std::fs::read_to_string(file).map_err(|error| Broken(format!("`{}`: {error}", file.display())))?;
    let first = read.lines().next().unwrap_or_default().trim_end();
    if first.is_empty() {
        return Err(Broken(format!("`{}` is empty", file.display())));
    }
    Ok(first.to_owned())
}
