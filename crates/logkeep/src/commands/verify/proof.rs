//! Verifying one downloaded proof: no data folder, no server, no key but the one the reader knows.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use logkeep_proof::{MOST_BYTES, Proven, PublicKey, verify};

/// Says what the file proves, or where it fails.
pub(super) fn run(file: &Path, key: Option<&str>) -> Result<ExitCode> {
    let trusted = key.map(str::parse::<PublicKey>).transpose().context("`--key`")?;
    let text = read(file).with_context(|| format!("proof `{}`", file.display()))?;
    let mut out = std::io::stdout().lock();
    match verify(&text, trusted.as_ref()) {
        Ok(proven) => {
            out.write_all(told(&proven, trusted.is_some()).as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => {
            writeln!(out, "NOT PROVEN {fault}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MOST_BYTES as u64 + 1).read_to_string(&mut text)?;
    ensure!(text.len() <= MOST_BYTES, "it has more than the {MOST_BYTES} bytes of any proof");
    Ok(text)
}

fn told(proven: &Proven, is_trusted: bool) -> String {
    let Proven { tenant, id, record_hash, received_ns, source, records, leaf_hash, origin, size, root, key } = proven;
    let from = source.as_ref().map(|source| format!(" from {source}")).unwrap_or_default();
    let key_id = key.split('+').nth(1).unwrap_or_default();
    let trust = match is_trusted {
        true => "the key is the one that was given",
        false => "compare the key with one you know from elsewhere, or give that as --key",
    };
    format!(
        "record {id} of {tenant}, arrived {}{from}\n\
        record hash  {record_hash}\n\
        batch        record {} of {records}, leaf {} with hash {leaf_hash}\n\
        log          {origin}\n\
        checkpoint   {size} entries, root {root}\n\
        key          {key}\n\
        key hash     {key_id}\n\
        proven: the log that this key signed had exactly this record; {trust}\n",
        super::time(*received_ns),
        u64::from(id.index) + 1,
        id.batch,
    )
}
