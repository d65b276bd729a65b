//! Builds the simulator with the whole workspace, so that no dependency is compiled twice, and runs it.

use std::io;
use std::path::Path;
use std::process::Command;

/// Whether every seed kept every invariant.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> io::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--workspace", "--bin", "logkeep-sim"]).current_dir(root);
    if !build.status()?.success() {
        return Ok(false);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    Ok(Command::new(target.join("debug/logkeep-sim")).args(arguments).status()?.success())
}
