//! Calls of the system that a log server never makes.
//!
//! A list of what is denied, not of what is allowed: libraries begin to use new calls with every release, and one that is missing from
//! a list of allowed ones ends in an outage. What is denied is answered "not permitted", and the caller goes on.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

/// Another program in place of this one; other processes; the kernel; its parts; what belongs to the administrator; other users.
const DENIED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_mknodat,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
];

#[cfg(target_arch = "x86_64")]
const OF_ARCHITECTURE: &[libc::c_long] =
    &[libc::SYS_kexec_file_load, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_mknod];
#[cfg(not(target_arch = "x86_64"))]
const OF_ARCHITECTURE: &[libc::c_long] = &[];

/// The numbers of the x32 ABI, which a kernel may also take on x86-64: those with this bit, and some of its own for the same calls
/// (the kernel's `syscall_64.tbl`: execve, ptrace, kexec_load, process_vm_readv, process_vm_writev, execveat).
#[cfg(target_arch = "x86_64")]
const X32: (libc::c_long, &[libc::c_long]) = (0x4000_0000, &[520, 521, 528, 539, 540, 545]);

fn numbers() -> Vec<libc::c_long> {
    let native = DENIED.iter().chain(OF_ARCHITECTURE).copied();
    #[cfg(target_arch = "x86_64")]
    let numbers = native.clone().chain(native.chain(X32.1.iter().copied()).map(|number| number | X32.0));
    #[cfg(not(target_arch = "x86_64"))]
    let numbers = native;
    numbers.collect()
}

/// Has the kernel refuse these calls to every thread, for good. Returns how many they are.
pub(super) fn refuse() -> Result<usize> {
    let target: TargetArch = std::env::consts::ARCH.try_into().context("this architecture has no filter")?;
    let rules: BTreeMap<i64, Vec<_>> = numbers().into_iter().map(|number| (number, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, target)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter_all_threads(&program).context("the kernel does not take the filter")?;
    Ok(DENIED.len() + OF_ARCHITECTURE.len())
}
