//! `logkeep demo`: the server over a scratch folder, with a simulated faulty mesh that sends to it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use logkeep::config::Config;
use logkeep_demo::{DemoOptions, FAULTY_SERVICE, Targets};
use logkeep_server::{Guest, Running, Server};

use super::serve::{runtime, server_config, start_log, stop_signal};

/// Arguments of `logkeep demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Log records a second, after the last half hour has been filled in
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Another number gives another run of the same shop
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Port of the API and the console; 0 takes a free one
    #[arg(long, default_value_t = 7280)]
    port: u16,
    /// Folder to keep the data in, instead of a scratch folder that is removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Seconds until the bad deploy
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    fault_after: u64,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let scratch = Scratch::new(args.data_dir)?;
    let mut config = Config {
        data_dir: scratch.folder.join("data"),
        configured_key_file: Some(scratch.folder.join("key")),
        log_level: "warn".into(),
        ..Config::default()
    };
    config.listen.main.address.set_port(args.port);
    config.listen.main.configured = true;
    let mut server = server_config(&config);
    // Free ports: the demo must start beside anything, and its senders are told where to send.
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    for endpoint in server.receivers.iter_mut().filter_map(|(_, endpoint)| endpoint.as_mut()) {
        endpoint.address = loopback;
    }
    let self_log = start_log(&config.log_level)?;
    runtime()?.block_on(async {
        let running = Server::start(server, self_log).await?;
        let options = DemoOptions {
            events_per_second: args.rate,
            seed: args.seed,
            fault_after: Duration::from_secs(args.fault_after),
            ..DemoOptions::default()
        };
        announce(&running, &running.guest().await?, &scratch, args.fault_after)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let senders = tokio::spawn(logkeep_demo::run(targets(&running), options, async {
            // Told to stop, or the other end is gone: either way it is over.
            drop(stopped.await);
        }));
        stop_signal().await?;
        drop(stop);
        if let Ok(summary) = senders.await {
            writeln!(
                std::io::stdout().lock(),
                "\nThe mesh sent {} records and spans; {} were acknowledged.",
                summary.sent(),
                summary.acked()
            )?;
        }
        running.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn targets(running: &Running) -> Targets {
    let address = |protocol: &str| running.receivers.iter().find(|receiver| receiver.protocol == protocol)?.address;
    Targets {
        otlp_http: address("otlp-http"),
        elasticsearch: address("elasticsearch"),
        loki: address("loki"),
        syslog: address("syslog-tcp"),
    }
}

fn announce(running: &Running, guest: &Guest, scratch: &Scratch, fault_after: u64) -> Result<()> {
    let token = scratch.keep("token", &guest.token)?;
    let mut out = std::io::stdout().lock();
    let url = format!("http://{}", running.main());
    writeln!(out, "Logkeep demo: {url}/#sign-in={}", guest.link)?;
    writeln!(out, "The link signs in once, within a day.")?;
    writeln!(
        out,
        "A shop on three meshes sends its logs and traces. In {fault_after} s a bad deploy of `{FAULTY_SERVICE}` begins."
    )?;
    writeln!(out, "\nThree things to try:")?;
    writeln!(out, "  1. Open the link and click `error` in the list of severities: which service, since when?")?;
    writeln!(
        out,
        "  2. In another terminal: logkeep tail --url {url} --token-file {} 'service:{FAULTY_SERVICE} and severity>=error'",
        token.display()
    )?;
    writeln!(
        out,
        "  3. Show that nothing was altered: logkeep verify --data-dir {0}/data --key-file {0}/key",
        scratch.folder.display()
    )?;
    writeln!(out, "\nCtrl-C ends it{}.", if scratch.temporary { " and removes its data" } else { "" })?;
    out.flush()?;
    Ok(())
}

/// The folder of one demo; removed at the end unless the user named it.
struct Scratch {
    folder: PathBuf,
    temporary: bool,
}

impl Scratch {
    fn new(named: Option<PathBuf>) -> Result<Self> {
        let temporary = named.is_none();
        let folder = named.unwrap_or_else(|| std::env::temp_dir().join(format!("logkeep-demo-{}", std::process::id())));
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, temporary })
    }

    /// Keeps a secret in a file that nobody else can read.
    fn keep(&self, name: &str, secret: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        // That of an earlier demonstration.
        let _ = std::fs::remove_file(&path);
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        writeln!(file, "{secret}")?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is in the folder for temporary files.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
