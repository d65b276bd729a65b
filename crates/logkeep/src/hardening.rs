//! What the process can no longer do, so that whoever takes it over cannot either.
//!
//! A log server reads and writes a few folders and talks over sockets. It starts no program, mounts nothing and looks into no other
//! process. All of that is given up before the first thread is started, for each of them inherits it, and for good.
//!
//! Not here: what the service manager takes away before the process begins (`deploy/systemd`).

mod folders;
mod seccomp;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use landlock::{
    ABI, Access as _, AccessFs, BitFlags, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};
use logkeep::config::{Config, Landlock};
use tracing::{info, warn};

use folders::Folders;

/// The newest rules of the kernel that were tried out; an older kernel is asked for those that it has.
const KNOWN: ABI = ABI::V7;

/// Leaves no memory behind when the process ends badly, and shows it to no other process of the same user: keys are in it.
#[allow(unsafe_code, reason = "calls of the system that have no conditions")]
pub(crate) fn keep_memory_private() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // Neither can fail with these arguments.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
}

/// What came of it, to be said.
pub(crate) struct Confinement {
    /// The kernel's version of the rules for files; `None` if they do not hold.
    pub(crate) landlock: Option<String>,
    /// How many calls of the system are refused.
    pub(crate) seccomp: Option<usize>,
}

/// Confines the process, which has no other thread yet, to what `serve` needs.
///
/// # Errors
/// What was required cannot be had.
pub(crate) fn confine(config: &Config, file: Option<&Path>) -> Result<Confinement> {
    let landlock = match config.hardening.landlock {
        Landlock::Off => None,
        wanted => landlocked(&Folders::of(config, file), wanted)?,
    };
    let seccomp = config.hardening.seccomp.then(seccomp::refuse).transpose().context("hardening.seccomp")?;
    Ok(Confinement { landlock, seccomp })
}

/// Writes into the log how the process is confined.
pub(crate) fn say(confinement: &Confinement) {
    let Confinement { landlock, seccomp } = confinement;
    let (landlock, denied_calls) = (landlock.as_deref().unwrap_or("off"), seccomp.unwrap_or_default());
    info!(landlock, denied_calls, core_dumps = false, "confined");
}

fn landlocked(folders: &Folders, wanted: Landlock) -> Result<Option<String>> {
    let status = restrict(folders).context("hardening.landlock")?;
    let (LandlockStatus::Available { effective_abi, .. }, false) =
        (status.landlock, status.ruleset == RulesetStatus::NotEnforced)
    else {
        if wanted == Landlock::Require {
            bail!("hardening.landlock: it is required, and this kernel does not have it or has it switched off");
        }
        warn!("this kernel has no landlock: files outside the configured folders are as safe as their permissions");
        return Ok(None);
    };
    let part = if status.ruleset == RulesetStatus::FullyEnforced { "" } else { ", in part" };
    Ok(Some(format!("ABI {effective_abi}{part}")))
}

fn restrict(folders: &Folders) -> Result<RestrictionStatus> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    Ok(Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(path_beneath_rules(&folders.read, read))?
        .add_rules(path_beneath_rules(&folders.write, read | writing()))?
        .restrict_self()?)
}

/// Files and folders, and nothing else that a folder may hold.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}
