//! Which data folder a command works on.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use logkeep::config::Config;

/// Arguments that say where a data folder and its key file are.
#[derive(clap::Args)]
pub(crate) struct FolderArgs {
    /// Configuration file, for the data folder and the key file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder, instead of the configured one
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Key file, instead of the configured one
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl FolderArgs {
    /// The configuration, with what was said on the command line in its place.
    pub(crate) fn load(self) -> Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(data_dir) = self.data_dir {
            config.data_dir = data_dir;
        }
        if self.key_file.is_some() {
            ensure!(
                config.key_service.is_none(),
                "`--key-file`: the configuration has the key with a service (`keys.provider`)"
            );
            config.configured_key_file = self.key_file;
        }
        Ok(config)
    }
}
