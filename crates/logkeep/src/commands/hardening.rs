//! `logkeep hardening`: whether `serve` would be confined on this machine, shown by trying what it must not do.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};
use logkeep::config::Config;

use crate::hardening::{Confinement, confine};

/// Arguments of `logkeep hardening`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Configuration file (YAML); without one the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What may not work, and an attempt.
type Attempt = (&'static str, fn(&Path) -> io::Result<()>);

const FORBIDDEN: [Attempt; 8] = [
    ("start a program", |_| Command::new("/proc/self/exe").arg("--version").stdin(Stdio::inherit()).output().map(drop)),
    ("read a file that the configuration does not name", |_| fs::read("/etc/passwd").map(drop)),
    ("write outside the data folder", |data| {
        let outside = data.with_file_name(format!(".logkeep-hardening-{}", std::process::id()));
        fs::write(&outside, "")?;
        fs::remove_file(outside)
    }),
    ("look into a process", |_| call(libc::SYS_process_vm_readv, i64::from(std::process::id()), 0)),
    ("open a namespace", |_| call(libc::SYS_unshare, 0, 0)),
    ("change the terms of execution", |_| call(libc::SYS_personality, 0xffff_ffff, 0)),
    // KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING
    ("use the kernel's keyring", |_| call(libc::SYS_keyctl, 0, -3)),
    ("become another user", |_| call(libc::SYS_setuid, i64::from(own_user()), 0)),
];

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let config = Config::load(args.config.as_deref())?;
    logkeep_server::prepare_folder(&config.data_dir, &config.key_source())?;
    let Confinement { landlock, seccomp } = confine(&config, args.config.as_deref())?;
    let mut out = io::stdout().lock();
    writeln!(out, "landlock: {}", landlock.as_deref().unwrap_or("not enforced"))?;
    writeln!(out, "seccomp: {}", seccomp.map_or("off".into(), |count| format!("{count} system calls denied")))?;
    let mut worked = 0;
    for (what, attempt) in FORBIDDEN {
        let answer =
            attempt(&config.data_dir).map_or_else(|error| format!("refused: {error}"), |()| "WORKED".to_owned());
        worked += usize::from(answer == "WORKED");
        writeln!(out, "  {what}: {answer}")?;
    }
    still_works(&config).context("what `serve` needs does not work")?;
    writeln!(out, "  read and write the data folder: works")?;
    Ok(if worked == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn still_works(config: &Config) -> Result<()> {
    let (file, moved) = (config.data_dir.join("hardening.new"), config.data_dir.join("hardening"));
    fs::write(&file, "").and_then(|()| fs::rename(&file, &moved)).and_then(|()| fs::remove_file(&moved))?;
    Ok(())
}

#[allow(unsafe_code, reason = "calls that change nothing: each is without a target, or asks for what is so already")]
fn call(number: libc::c_long, first: i64, second: i64) -> io::Result<()> {
    match unsafe { libc::syscall(number, first, second, 0i64, 0i64, 0i64, 0i64) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[allow(unsafe_code, reason = "a call that cannot fail")]
fn own_user() -> libc::uid_t {
    unsafe { libc::getuid() }
}
