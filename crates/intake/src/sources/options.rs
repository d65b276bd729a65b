//! Which queues are read.

use std::path::PathBuf;

use logkeep_record::TenantId;
use logkeep_wire::queue::Form;

/// A queue to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOptions {
    /// Topics of Kafka.
    Kafka(KafkaOptions),
    /// Subjects of NATS.
    Nats(NatsOptions),
}

impl SourceOptions {
    /// What all have.
    pub fn common(&self) -> &Common {
        match self {
            Self::Kafka(options) => &options.common,
            Self::Nats(options) => &options.common,
        }
    }

    /// `kafka` or `nats`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Kafka(_) => "kafka",
            Self::Nats(_) => "nats",
        }
    }
}

/// What all have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// Names it in our log. With another name, what was read before is not known again.
    pub name: String,
    /// Whose the records are.
    pub tenant: TenantId,
    /// What messages hold.
    pub form: Form,
    /// Where to begin if the queue has no position of ours.
    pub start: Start,
    /// Without it nothing is encrypted.
    pub tls: Option<OutgoingTls>,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the oldest message there is.
    #[default]
    Earliest,
    /// With what comes from now on.
    Latest,
}

/// TLS to a queue. Its certificate is always verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingTls {
    /// Authorities that its certificate may be of, PEM; `None` for those of this machine.
    pub ca: Option<PathBuf>,
    /// What to show it, with its private key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Topics of Kafka, read as a member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaOptions {
    /// What all have.
    pub common: Common,
    /// `host:port` of brokers to begin with.
    pub brokers: Vec<String>,
    /// The consumer group that the positions are kept for.
    pub group: String,
    /// By name.
    pub topics: Vec<String>,
    /// Who we are.
    pub sasl: Option<Sasl>,
}

/// Name and password for Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    /// How the password is shown.
    pub mechanism: SaslMechanism,
    /// Name.
    pub user: String,
    /// A file with the password in its first line, read whenever we connect.
    pub password_file: PathBuf,
}

/// How a password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// As it is; only over TLS is that no word for everyone.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

impl SaslMechanism {
    /// Each, by the name the configuration has for it.
    pub const NAMES: &[(&str, Self)] =
        &[("plain", Self::Plain), ("scram-sha-256", Self::ScramSha256), ("scram-sha-512", Self::ScramSha512)];

    /// As the configuration names it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, mechanism)| *mechanism == self).map_or("plain", |(name, _)| name)
    }
}

/// A subject of NATS: through a durable consumer of a stream, or as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsOptions {
    /// What all have.
    pub common: Common,
    /// `nats://host:port` or `tls://host:port`.
    pub servers: Vec<String>,
    /// A stream of JetStream that keeps messages until we have acked them. Without one we hear what is published while we
    /// listen, and nothing can be acked.
    pub stream: Option<String>,
    /// Name of our durable consumer, or without a stream of our queue group.
    pub group: String,
    /// Of the messages those under this subject, which may have wildcards.
    pub subject: Option<String>,
    /// A file of credentials (a JWT with its seed).
    pub credentials_file: Option<PathBuf>,
    /// A file with a token in its first line.
    pub token_file: Option<PathBuf>,
    /// Name, and a file with the password in its first line.
    pub user: Option<(String, PathBuf)>,
}
