//! From a configuration to a running server, and back to a clean stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use logkeep_access::{
    Access, AccessError, CertificateRules, Directory, DirectoryError, ExportLimits, Exports, Oidc, OidcError,
    OidcOptions, Policies, PolicyError, Rules as AccessRules, Senders, SessionLimits,
};
use logkeep_catalog::{Catalog as _, CatalogError, SqliteCatalog};
use logkeep_cipher::{DataKey, UnwrapError, WrappedKey, hmac_sha256};
use logkeep_ingest::{Dedupe, Ingest, IngestConfig, OpenError, Parts, Verification};
use logkeep_intake::{Intake, IntakeOptions, Port, SourceOptions, TlsError, watch_certificates};
use logkeep_pipeline::PipelineSet;
use logkeep_query::exec::QueryError;
use logkeep_query::{QueryEngine, QueryOptions};
use logkeep_record::TenantId;
use logkeep_redact::{HashKey, Redactor, Rules};
use logkeep_store::{
    KeyProvider, KeyProviderError, KeyShelf, KeySource, SealedObjects, StoreError, SystemClock, SystemRandom,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::{self, AppState};
use crate::destruction::Destroyer;
use crate::guard;
use crate::life::{InForce, Life};
use crate::listen::{self, Endpoint, Receiver};
use crate::pipelines::{PipelineSource, Reloading, Reloads};
use crate::rotate::Rotation;
use crate::selflog::SelfLog;
use crate::{setup, turned_away};

/// Everything a server needs to know.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Where the key is that wraps all others.
    pub keys: KeySource,
    /// API and console.
    pub main: Endpoint,
    /// Ports of receivers; `None` is off.
    pub receivers: Vec<(&'static Port, Option<Endpoint>)>,
    /// Intake.
    pub intake: IntakeOptions,
    /// Queues that are read.
    pub sources: Vec<SourceOptions>,
    /// What is hidden in records before they are stored; takes the place of what `intake` has.
    pub redact: Rules,
    /// What is done to records before that.
    pub pipelines: Arc<PipelineSet>,
    /// Where these are written, if they are to be taken up when they change.
    pub pipeline_source: Option<Arc<dyn PipelineSource>>,
    /// Queries.
    pub query: QueryOptions,
    /// Live rows of one class are flushed at this size in memory, in bytes.
    pub flush_bytes: usize,
    /// … or at this age.
    pub flush_interval: Duration,
    /// What a thread does before it rests.
    pub before_sleep: fn(),
    /// Memory for the indexes of open segments, in bytes.
    pub open_segments_bytes: usize,
    /// Who may read, and how long they stay signed in.
    pub sign_in: SignInOptions,
    /// Fields that only those see who are permitted to unmask them.
    pub masked: Vec<String>,
    /// Folder of policies beside those that we ship.
    pub policies: Option<PathBuf>,
    /// How much may be read out.
    pub export: ExportLimits,
    /// What names in certificates stand for.
    pub certificates: CertificateRules,
    /// Where people can sign in beside here.
    pub oidc: Option<OidcOptions>,
    /// For how long a retry of a batch is known.
    pub dedupe: Dedupe,
    /// Bytes held back for a full disk.
    pub reserve_bytes: u64,
    /// SHA-256 of all that was configured, in base 16, for the audit trail.
    pub digest: String,
}

/// Who may read, and how long they stay signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInOptions {
    /// Whether whoever is on this machine may read without signing in.
    pub loopback_is_open: bool,
    /// How long a session lasts.
    pub sessions: SessionLimits,
    /// Whether people who sign in with a password can do nothing without a second factor.
    pub second_factor_is_required: bool,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error("data folder `{path}`: {cause}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Another process has the folder open.
    #[error("data folder `{0}` is in use by another process; stop it, or use another folder with --data-dir")]
    InUse(String),
    /// A server has been told to rotate and is not done.
    #[error(
        "the server on `{0}` has not put everything under the new key yet; it goes on, and its log says what stands in the way"
    )]
    Rotating(String),
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyProviderError),
    /// The key of the catalog.
    #[error("key of the catalog: {0}")]
    CatalogKey(String),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The objects.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Recovery.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// People and tokens.
    #[error("people and tokens: {0}")]
    Directory(#[from] DirectoryError),
    /// Policies.
    #[error(transparent)]
    Policies(#[from] PolicyError),
    /// The provider at which people sign in.
    #[error("oidc: {0}")]
    Oidc(#[from] OidcError),
    /// The query engine.
    #[error("query engine: {0}")]
    Query(#[from] QueryError),
    /// Files of TLS.
    #[error("TLS of `{key}`: {cause}")]
    Tls {
        /// The setting.
        key: String,
        /// Why.
        #[source]
        cause: TlsError,
    },
    /// The audit trail.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A port.
    #[error(
        "cannot listen on {address} for {protocol}: {cause}; change `{key}` in the configuration, or stop what uses it"
    )]
    Listen {
        /// What for.
        protocol: &'static str,
        /// Where.
        address: std::net::SocketAddr,
        /// The setting.
        key: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}

pub(crate) fn folder_error(path: &Path) -> impl FnOnce(std::io::Error) -> StartError {
    let path = path.display().to_string();
    |cause| StartError::Folder { path, cause }
}

const CATALOG_FILE: &str = "catalog.sqlite";
pub(crate) const CATALOG_KEY_FILE: &str = "catalog.key";
pub(crate) const CATALOG_KEY_CONTEXT: &str = "catalog";
/// Between two questions to a key provider that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
const HASH_KEY_CONTEXT: &[u8] = b"redaction 1";

/// Opens what a data folder consists of, creating it if `create` says so.
///
/// # Errors
/// [`StartError`].
pub async fn open_parts(data_dir: &Path, source: &KeySource, create: bool) -> Result<Parts, StartError> {
    Ok(open_folder(data_dir, source, create).await?.into_parts())
}

/// An open data folder on which nothing runs.
pub struct OpenFolder {
    /// Where it is.
    pub data_dir: PathBuf,
    /// Which segments exist.
    pub catalog: Arc<SqliteCatalog>,
    /// Where they lie.
    pub objects: SealedObjects,
    /// What wraps their keys.
    pub keys: Arc<dyn KeyProvider>,
    /// What redaction hashes values with. It lasts as long as the catalog, and is under the same key.
    hash_key: HashKey,
}

impl OpenFolder {
    pub(crate) fn into_parts(self) -> Parts {
        let Self { catalog, objects, keys, .. } = self;
        Parts { catalog, objects, keys, clock: Arc::new(SystemClock::new()), random: Arc::new(SystemRandom) }
    }

    /// Opens an existing folder for `verify` and `backup`, also while a server runs on it.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn existing(data_dir: &Path, source: &KeySource) -> Result<Self, StartError> {
        open_folder(data_dir, source, false).await
    }

    /// What verification needs, with checkpoints that were kept elsewhere.
    pub fn verification(&self, since: Vec<String>) -> Verification {
        Verification {
            data_dir: self.data_dir.clone(),
            catalog: self.catalog.clone(),
            objects: self.objects.clone(),
            keys: self.keys.clone(),
            since,
        }
    }
}

async fn open_folder(data_dir: &Path, source: &KeySource, create: bool) -> Result<OpenFolder, StartError> {
    let keys = if create { prepare_folder(data_dir, source)? } else { source.open(data_dir)? };
    open_with(data_dir, keys, create).await
}

/// Makes the data folder, and what its keys need, if they are not there yet.
///
/// # Errors
/// [`StartError`].
pub fn prepare_folder(data_dir: &Path, source: &KeySource) -> Result<Arc<dyn KeyProvider>, StartError> {
    std::fs::create_dir_all(data_dir).map_err(folder_error(data_dir))?;
    private(data_dir).map_err(folder_error(data_dir))?;
    Ok(source.open_or_create(data_dir, data_dir.join(CATALOG_FILE).exists())?)
}

/// As [`open_folder`], with a provider that is at hand.
pub(crate) async fn open_with(
    data_dir: &Path,
    keys: Arc<dyn KeyProvider>,
    create: bool,
) -> Result<OpenFolder, StartError> {
    let exists = data_dir.join(CATALOG_FILE).exists();
    if !create && !exists {
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no catalog in it");
        return Err(folder_error(data_dir)(missing));
    }
    let catalog_key = catalog_key(data_dir, &*keys, create && !exists).await?;
    let catalog = SqliteCatalog::open(&data_dir.join(CATALOG_FILE), &catalog_key).await?;
    let objects = data_dir.join("objects");
    let objects = if create { SealedObjects::local(&objects)? } else { SealedObjects::local_read_only(&objects) };
    let hash_key = HashKey::new(hmac_sha256(catalog_key.expose(), HASH_KEY_CONTEXT));
    let catalog = Arc::new(catalog);
    keys.keep_in(Arc::new(CatalogShelf(catalog.clone())));
    Ok(OpenFolder { data_dir: data_dir.to_owned(), catalog, objects, keys, hash_key })
}

/// Wrapped keys of tenants are secrets of the installation, sealed once more by the catalog.
struct CatalogShelf(Arc<SqliteCatalog>);

#[async_trait]
impl KeyShelf for CatalogShelf {
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.secret(name).await.map_err(|error| error.to_string())
    }

    async fn put(&self, name: &str, wrapped: &[u8]) -> Result<(), String> {
        self.0.set_secret(name, wrapped).await.map_err(|error| error.to_string())
    }
}

#[cfg(unix)]
fn private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

/// The key of the catalog lies wrapped beside it, so that rotating the key-encryption key rewrites one small file.
async fn catalog_key(data_dir: &Path, keys: &dyn KeyProvider, create: bool) -> Result<DataKey, StartError> {
    let path = data_dir.join(CATALOG_KEY_FILE);
    if create && !path.exists() {
        let key = DataKey::generate();
        let wrapped = keys.wrap(&key, CATALOG_KEY_CONTEXT).await?;
        logkeep_ingest::write_durably(&path, &wrapped.0).map_err(folder_error(&path))?;
        return Ok(key);
    }
    let wrapped = std::fs::read(&path).map_err(folder_error(&path))?;
    match keys.unwrap(&WrappedKey(wrapped), CATALOG_KEY_CONTEXT).await {
        Ok(key) => Ok(key),
        Err(KeyProviderError::Unwrap(UnwrapError::Refused { .. })) => Err(StartError::CatalogKey(format!(
            "`{}` does not open with this key file or key; is it the one that belongs to this data folder?",
            path.display()
        ))),
        Err(KeyProviderError::Unwrap(error @ UnwrapError::Version { .. })) => Err(StartError::CatalogKey(format!(
            "`{}`: {error}, unless another kind of key provider wrapped it: see `keys.provider`",
            path.display()
        ))),
        Err(KeyProviderError::Unwrap(error)) => Err(StartError::CatalogKey(format!("`{}`: {error}", path.display()))),
        Err(error) => Err(error.into()),
    }
}

/// What `logkeep verify` needs, opened for reading.
///
/// # Errors
/// [`StartError`].
pub async fn verification(data_dir: &Path, source: &KeySource, since: Vec<String>) -> Result<Verification, StartError> {
    Ok(OpenFolder::existing(data_dir, source).await?.verification(since))
}

/// A server that has not been started.
pub struct Server;

/// A server that serves.
pub struct Running {
    /// What listens where.
    pub receivers: Arc<Vec<Receiver>>,
    /// The secret by which somebody can become the first administrator, while there is none.
    pub set_up_link: Option<String>,
    main: std::net::SocketAddr,
    pub(crate) access: Access,
    pub(crate) directory: Arc<Directory>,
    pub(crate) ingest: Ingest,
    life: Arc<Life>,
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<()>,
    self_log: SelfLog,
    _lock: std::fs::File,
}

impl Server {
    /// Opens the data folder, binds every listener and serves. Ready when it returns.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: ServerConfig, self_log: SelfLog) -> Result<Running, StartError> {
        std::fs::create_dir_all(&config.data_dir).map_err(folder_error(&config.data_dir))?;
        let lock = lock(&config.data_dir)?;
        let policies = config.policies.as_deref().map(Policies::with_folder).transpose()?.unwrap_or_default();
        let rules = AccessRules { policies, masked: config.masked.clone() };
        logkeep_ingest::release_reserve(&config.data_dir).map_err(folder_error(&config.data_dir))?;
        let (opened, waited) = when_keys_answer(|| open(&config)).await?;
        let Opened { ingest, catalog, keys, hash_key } = opened;
        let redactor = Arc::new(Redactor::new(config.redact.clone(), hash_key));
        let clock = ingest.clock().clone();
        let oidc = config.oidc.clone().map(|options| Oidc::new(options, clock.clone())).transpose()?.map(Arc::new);
        let directory = Arc::new(Directory::open(catalog.clone(), clock, config.sign_in.sessions).await?);
        let set_up_link = setup::link(&directory, &config.data_dir).await?;
        let pipelines = config.pipelines.clone();
        let senders = Senders::new(directory.clone(), config.certificates.clone(), rules.policies.clone());
        let options = IntakeOptions {
            redactor: redactor.clone(),
            pipelines,
            senders: Arc::new(senders),
            ..config.intake.clone()
        };
        let intake = Intake::new(ingest.clone(), options);
        let stop = CancellationToken::new();
        let bound = listen::bind(&config).await?;
        let receivers: Arc<Vec<Receiver>> = Arc::new(bound.receivers());
        let query = QueryEngine::new(ingest.clone(), config.query)?;
        let in_force = InForce {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: config.digest.clone(),
            policies: rules.policies.digest(),
        };
        let exports = Exports::open(catalog.clone(), ingest.clock().clone(), config.export).await?;
        let access = Access::new(ingest.clone(), rules).counting(exports);
        let life = Life::begin(catalog, access.clone(), in_force, waited).await?;
        let reloads = Arc::new(Reloads::default());
        let destroyer = Destroyer::new(ingest.clone(), access.clone(), query.clone(), directory.clone());
        let state = AppState {
            access: access.clone(),
            directory: directory.clone(),
            sign_in: config.sign_in,
            rules: Arc::new(config.certificates.clone()),
            oidc,
            query: query.clone(),
            ingest: ingest.clone(),
            intake: intake.clone(),
            receivers: receivers.clone(),
            main: bound.main_address(),
            certificates: bound.certificates(),
            tenant: TenantId::default(),
            stop: stop.clone(),
            started_ns: ingest.clock().now_ns(),
            redactor: redactor.clone(),
            reloads: reloads.clone(),
            destroyer: destroyer.clone(),
            exports: api::exports_at_once(),
        };
        let hosts = guard::Hosts::of(bound.main_address());
        let main: Router = api::router(state).layer(axum::middleware::from_fn_with_state(hosts, guard::own_pages_only));
        let address = bound.main_address();
        bound.say_findings();
        let certificates = bound.certificates();
        let mut tasks = bound.serve(main, &intake, &stop);
        if !certificates.is_empty() {
            tasks.spawn(watch_certificates(certificates, stop.clone()));
        }
        for source in config.sources {
            tasks.spawn(intake.read_source(source, stop.clone()));
        }
        if let Some(source) = config.pipeline_source {
            let (intake, access) = (intake.clone(), access.clone());
            let reloading = Reloading::new(source, intake, access, reloads);
            tasks.spawn(reloading.watch(stop.clone()));
        }
        tasks.spawn(turned_away::tell(intake.clone(), access.clone(), stop.clone()));
        tasks.spawn(forget_unused(query.clone(), stop.clone()));
        let (data_dir, source) = (config.data_dir.clone(), config.keys);
        let rotation = Rotation { ingest: ingest.clone(), access: access.clone(), keys, data_dir, source };
        tasks.spawn(rotation.watch(stop.clone()));
        tasks.spawn(destroyer.finish(stop.clone()));
        tasks.spawn(life.clone().say_later(stop.clone()));
        self_log.attach(ingest.clone(), redactor);
        info!(data_dir = %config.data_dir.display(), version = env!("CARGO_PKG_VERSION"), "serving");
        Ok(Running {
            receivers,
            set_up_link,
            main: address,
            access,
            directory,
            ingest,
            life,
            stop,
            tasks,
            self_log,
            _lock: lock,
        })
    }
}

/// An open data folder with the engine on it.
struct Opened {
    ingest: Ingest,
    catalog: Arc<SqliteCatalog>,
    keys: Arc<dyn KeyProvider>,
    hash_key: HashKey,
}

async fn open(config: &ServerConfig) -> Result<Opened, StartError> {
    let folder = open_folder(&config.data_dir, &config.keys, true).await?;
    let (catalog, keys, hash_key) = (folder.catalog.clone(), folder.keys.clone(), folder.hash_key.clone());
    let mut ingest = IngestConfig::new(&config.data_dir);
    ingest.flush_bytes = config.flush_bytes;
    ingest.flush_interval = config.flush_interval;
    ingest.before_sleep = config.before_sleep;
    ingest.open_segments_bytes = config.open_segments_bytes;
    ingest.dedupe = config.dedupe;
    ingest.reserve_bytes = config.reserve_bytes;
    Ok(Opened { ingest: Ingest::open(ingest, folder.into_parts()).await?, catalog, keys, hash_key })
}

/// Waits for a key provider that is away: nothing can be opened without it, and a server that ends because of it would have to be
/// started again by somebody. Also says for how long it waited.
async fn when_keys_answer<T, F>(attempt: impl Fn() -> F) -> Result<(T, Duration), StartError>
where
    F: Future<Output = Result<T, StartError>>,
{
    let (begun, mut pause, mut waited) = (tokio::time::Instant::now(), Duration::from_secs(1), Duration::ZERO);
    loop {
        let error = match attempt().await {
            Err(StartError::Key(error) | StartError::Open(OpenError::Key(error))) if error.may_pass() => error,
            done => return done.map(|opened| (opened, waited)),
        };
        warn!(%error, again_s = pause.as_secs(), "waiting for the key provider, without which nothing can be opened");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        waited = begun.elapsed();
    }
}

impl Running {
    /// Where the API and the console are.
    pub fn main(&self) -> std::net::SocketAddr {
        self.main
    }

    /// Stops listening, lets requests under way finish, flushes, and closes the data folder.
    pub async fn stop(mut self) {
        info!("stopping");
        self.self_log.detach().await;
        self.stop.cancel();
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        // A request that does not end by itself must not hold up the stop for ever: what was acknowledged is durable.
        if tokio::time::timeout(Duration::from_secs(10), drained).await.is_err() {
            self.tasks.abort_all();
        }
        self.access.flush().await;
        self.life.end().await;
        let ingest = self.ingest.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || ingest.close()).await {
            tracing::error!(%error, "the engine did not close cleanly; the write-ahead log has everything");
        }
    }
}

/// What was decoded for questions is dropped when nobody has asked any for a while.
async fn forget_unused(query: QueryEngine, stop: CancellationToken) {
    const UNUSED: Duration = Duration::from_secs(60);
    while tokio::time::timeout(UNUSED / 4, stop.cancelled()).await.is_err() {
        query.forget_unused(UNUSED);
    }
}

/// One server a folder: the lock goes with the process.
pub(crate) fn lock(data_dir: &Path) -> Result<std::fs::File, StartError> {
    lock_file(data_dir, "lock")
}

pub(crate) fn lock_file(data_dir: &Path, name: &str) -> Result<std::fs::File, StartError> {
    let path = data_dir.join(name);
    let file =
        std::fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(folder_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::InUse(data_dir.display().to_string())),
        Err(std::fs::TryLockError::Error(cause)) => Err(folder_error(&path)(cause)),
    }
}
