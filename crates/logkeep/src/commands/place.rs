//! Where backups lie: a folder, or a bucket of an S3-compatible store.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use logkeep_ingest::backup::Place;
use logkeep_store::{Bucket, S3Options};

/// What is said about a store beside its address. A folder needs none of it.
#[derive(clap::Args)]
pub(crate) struct StoreArgs {
    /// Where the S3-compatible store is, instead of at AWS or where AWS_ENDPOINT_URL says
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Use a store without TLS that is not on this machine: others can then read along and alter
    #[arg(long)]
    allow_http: bool,
}

impl StoreArgs {
    /// The place that was named.
    pub(crate) fn place(self, named: &str) -> Result<Place> {
        if Bucket::is_address(named) {
            let options = S3Options { endpoint: self.endpoint, allow_http: self.allow_http };
            let readable = std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
            return Ok(Place::Bucket(Bucket::s3(named, &options, readable)?));
        }
        ensure!(!named.contains("://"), "`{named}` is neither a folder nor `s3://<bucket>/<prefix>`");
        ensure!(
            self.endpoint.is_none() && !self.allow_http,
            "`{named}` is a folder; `--endpoint` and `--allow-http` are for `s3://<bucket>/<prefix>`"
        );
        Ok(Place::Folder(PathBuf::from(named)))
    }
}
