//! What can be set.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use logkeep_access::Senders;
use logkeep_cipher::random_bytes;
use logkeep_pipeline::PipelineSet;
use logkeep_record::{TenantId, limits};
use logkeep_redact::{HashKey, Redactor, Rules};
use logkeep_wire::forward::handshake::Ping;

/// What can be set.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// Names that senders may use; `default` is always one.
    pub tenants: Vec<TenantId>,
    /// Largest body as it arrives, before decompression.
    pub request_bytes: usize,
    /// Largest body after decompression.
    pub request_decompressed_bytes: usize,
    /// Version that the Elasticsearch API claims; Beats refuse one older than their own.
    pub elasticsearch_version: String,
    /// Documents with ids that are remembered at most, so that a retry is known.
    pub dedupe_documents: usize,
    /// … and for how long.
    pub dedupe_window: Duration,
    /// Requests that are read and stored at once; the others wait.
    pub max_concurrent_requests: usize,
    /// How long a request waits for its place before it is refused. The shortest time-out of common senders is 30 s.
    pub max_wait: Duration,
    /// Connections at once on each port that is not HTTP, and on those of HTTP such as have not said anything yet; for one
    /// more, one that has not introduced itself is closed, or the one silent for longest.
    pub max_connections: usize,
    /// … if it has been silent for so long.
    pub idle_connection: Duration,
    /// How long a handshake of TLS may take.
    pub handshake: Duration,
    /// What all of these connections together hold of messages that are not complete, in bytes; and as much again bodies of HTTP.
    pub connections_bytes: usize,
    /// Who may send, where a listener asks.
    pub senders: Arc<Senders>,
    /// Whom the Forward port takes events from; `None` is everyone.
    pub forward: Option<ForwardSecurity>,
    /// What operators have done to records, at the start.
    pub pipelines: Arc<PipelineSet>,
    /// What hides secrets and personal data in all records.
    pub redactor: Arc<Redactor>,
}

impl Default for IntakeOptions {
    fn default() -> Self {
        Self {
            tenants: Vec::new(),
            request_bytes: limits::REQUEST_BYTES,
            request_decompressed_bytes: limits::REQUEST_DECOMPRESSED_BYTES,
            elasticsearch_version: "8.17.0".into(),
            dedupe_documents: 1 << 18,
            dedupe_window: Duration::from_secs(24 * 3_600),
            max_concurrent_requests: 64,
            max_wait: Duration::from_secs(20),
            max_connections: 1_024,
            idle_connection: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            connections_bytes: 256 << 20,
            senders: Arc::default(),
            forward: None,
            pipelines: Arc::default(),
            // Hashes of this process alone: whoever wants them compared gives a key that lasts.
            redactor: Arc::new(Redactor::new(Rules::default(), HashKey::new(random_bytes()))),
        }
    }
}

/// Text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(text.into().into())
    }

    pub(crate) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whom the Forward port takes events from.
#[derive(Clone, Debug)]
pub struct ForwardSecurity {
    /// What both sides know.
    pub shared_key: Secret,
    /// Names and passwords; without any, the key is enough.
    pub users: Vec<(String, Secret)>,
}

impl ForwardSecurity {
    /// Whether a client gives the password of a user there is. Every user is tried, so that the time tells no names.
    pub(crate) fn knows(&self, ping: &Ping<'_>, auth: &[u8]) -> bool {
        self.users.iter().fold(false, |known, (name, password)| {
            let matches = ping.knows_password(auth, password.reveal());
            known | (matches & (name.as_bytes() == ping.user))
        })
    }
}
