//! How the first administrator is set up: by a link that only those have who can read the data folder or the terminal.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use logkeep_access::{Directory, Purpose};

use crate::server::{StartError, folder_error};

/// Beside the data; readable by its owner.
const FILE: &str = "set-up-link";
/// How long the link is good; every start makes another one.
const LASTS: Duration = Duration::from_secs(24 * 3_600);

/// A new link while nobody has been set up; its secret also lies in the data folder. After that the file goes.
pub(crate) async fn link(directory: &Directory, data_dir: &Path) -> Result<Option<String>, StartError> {
    let path = data_dir.join(FILE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(folder_error(&path)(error)),
        _ => {}
    }
    if !directory.is_new() {
        return Ok(None);
    }
    let secret = directory.add_link(Purpose::SetUp, LASTS).await?;
    let mut file =
        std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(folder_error(&path))?;
    writeln!(file, "{secret}").map_err(folder_error(&path))?;
    Ok(Some(secret))
}
