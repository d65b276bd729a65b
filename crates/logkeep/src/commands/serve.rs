//! `logkeep serve`: the server.

mod source;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use logkeep::config::{Config, Listener};
use logkeep_ingest::Dedupe;
use logkeep_query::QueryOptions;
use logkeep_query::exec::SqlOptions;
use logkeep_server::{
    Endpoint, ExportLimits, IntakeOptions, PipelineSource, Port, Running, SelfLog, Server, ServerConfig, SessionLimits,
    SignInOptions, Transport,
};
use sha2::{Digest as _, Sha256};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use source::ConfiguredPipelines;

use super::secrets;
use crate::{hardening, memory};

/// Arguments of `logkeep serve`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Configuration file (YAML); without one the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder, instead of the configured one
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Rows of an SQL answer at most.
const SQL_ROWS: usize = 100_000;

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let mut config = Config::load(args.config.as_deref())?;
    if let Some(data_dir) = args.data_dir {
        config.data_dir = data_dir;
    }
    let self_log = start_log(&config.log_level)?;
    logkeep_record::limits::set_record_bytes(config.limits.record_bytes);
    // Both before the first thread: what a process may reach must be there, and threads inherit what it may do.
    logkeep_server::prepare_folder(&config.data_dir, &config.key_source())?;
    hardening::say(&hardening::confine(&config, args.config.as_deref())?);
    runtime()?.block_on(async {
        let mut server = server_config(&config);
        let source = |file: &PathBuf| Arc::new(ConfiguredPipelines::new(file, &config)) as Arc<dyn PipelineSource>;
        server.pipeline_source = args.config.as_ref().map(source);
        server.intake.forward = secrets::forward(&config.forward)?;
        server.oidc = config.oidc.as_ref().map(secrets::oidc).transpose()?;
        let running = Server::start(server, self_log).await?;
        announce(&running)?;
        stop_signal().await?;
        running.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The threads everything runs on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(logkeep_query::exec::STACK_BYTES)
        .on_thread_park(memory::collect_before_sleep)
        .thread_keep_alive(memory::KEEP_THREADS)
        .build()
        .context("threads cannot be started")?;
    memory::return_when_idle(&runtime).context("a thread cannot be started")?;
    Ok(runtime)
}

/// Structured events on standard error, and into our own store.
pub(crate) fn start_log(level: &str) -> Result<SelfLog> {
    let (layer, self_log) = SelfLog::new();
    let filter =
        EnvFilter::try_new(format!("warn,krafka=error,logkeep={level},{}", own_crates(level))).context("log level")?;
    let json =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).with_filter(filter);
    tracing_subscriber::registry().with(json).with(layer).try_init().context("the log is already set up")?;
    Ok(self_log)
}

fn own_crates(level: &str) -> String {
    ["access", "ingest", "intake", "query", "server", "demo"].map(|room| format!("logkeep_{room}={level}")).join(",")
}

/// What the server needs, from what the operator set.
pub(crate) fn server_config(config: &Config) -> ServerConfig {
    let endpoint = |listener: &Listener| Endpoint {
        address: listener.address,
        required: listener.configured,
        tls: listener.tls_options(&config.tls),
        senders: listener.demand(),
    };
    // There is no TLS over UDP.
    let receiver = |port: &Port, listener: &Listener| {
        let endpoint = endpoint(listener);
        if port.is_udp() { Endpoint { tls: None, ..endpoint } } else { endpoint }
    };
    let receivers = config.listen.receivers.iter();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    ServerConfig {
        data_dir: config.data_dir.clone(),
        keys: config.key_source(),
        main: endpoint(&config.listen.main),
        receivers: receivers.map(|(port, at)| (*port, at.as_ref().map(|at| receiver(port, at)))).collect(),
        intake: IntakeOptions {
            tenants: config.tenants.clone(),
            request_bytes: config.limits.request_bytes,
            elasticsearch_version: config.elasticsearch_version.clone(),
            dedupe_documents: config.dedupe.documents,
            dedupe_window: config.dedupe.window,
            ..IntakeOptions::default()
        },
        sources: config.sources.clone(),
        pipelines: Arc::new(config.pipeline_set()),
        pipeline_source: None,
        redact: config.redact.clone(),
        query: QueryOptions {
            timeout: config.query.timeout,
            sql: SqlOptions { memory_bytes: config.query.memory_bytes, rows: SQL_ROWS, threads },
            cache_bytes: config.query.cache_bytes,
        },
        flush_bytes: config.flush.bytes,
        flush_interval: config.flush.interval,
        before_sleep: memory::collect_before_sleep,
        open_segments_bytes: config.query.index_bytes,
        sign_in: SignInOptions {
            loopback_is_open: config.access.loopback_is_open,
            sessions: SessionLimits { idle: config.access.session_idle, max: config.access.session_max },
            second_factor_is_required: config.access.second_factor_is_required,
        },
        masked: config.access.masked.clone(),
        policies: config.access.policies.clone(),
        export: ExportLimits { rows: config.access.export_rows, rows_a_day: config.access.export_rows_a_day },
        certificates: config.access.certificates.clone(),
        oidc: None,
        dedupe: Dedupe {
            window: config.dedupe.window,
            batches: config.dedupe.batches,
            documents: config.dedupe.documents,
        },
        reserve_bytes: config.reserve_bytes,
        digest: hex::encode(Sha256::digest(config.to_yaml())),
    }
}

/// Says on standard output where the console is; everything else is in the log.
fn announce(running: &Running) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let is_encrypted = running.receivers.first().is_some_and(|main| main.transport != Transport::Plaintext);
    let scheme = if is_encrypted { "https" } else { "http" };
    writeln!(out, "Logkeep is ready: {scheme}://{}", running.main())?;
    if let Some(secret) = &running.set_up_link {
        writeln!(out, "  first administrator: {scheme}://{}/#set-up={secret}", running.main())?;
    }
    for receiver in running.receivers.iter() {
        if let Some(address) = receiver.address {
            let transport = match receiver.transport {
                Transport::Tls(_) => ", TLS",
                Transport::Plaintext if receiver.is_exposed() => ", in the clear",
                Transport::Plaintext => "",
            };
            writeln!(out, "  {:<16} {address}  {}{transport}", receiver.protocol, receiver.state.as_str())?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be watched")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
