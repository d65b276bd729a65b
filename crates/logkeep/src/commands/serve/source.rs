//! The pipelines of the configuration file, as a server reads them again while it runs.

use std::path::{Path, PathBuf};

use logkeep::config::Config;
use logkeep_pipeline::PipelineSet;
use logkeep_pipeline::spec::{Pipeline, Step};
use logkeep_record::TenantId;
use logkeep_server::PipelineSource;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// A configuration file, and those that its pipelines name.
#[derive(Debug)]
pub(crate) struct ConfiguredPipelines {
    config: PathBuf,
    /// Those that the server knows; others come with its next start.
    tenants: Vec<TenantId>,
    programs: Mutex<Vec<PathBuf>>,
}

impl ConfiguredPipelines {
    pub(crate) fn new(file: &Path, config: &Config) -> Self {
        let programs = Mutex::new(programs(&config.pipelines));
        Self { config: file.to_owned(), tenants: config.tenants.clone(), programs }
    }
}

fn programs(pipelines: &[Pipeline]) -> Vec<PathBuf> {
    let file = |step: &Step| if let Step::Vrl { file, .. } = step { file.clone() } else { None };
    pipelines.iter().flat_map(|pipeline| pipeline.steps.iter().filter_map(file)).collect()
}

impl PipelineSource for ConfiguredPipelines {
    fn digest(&self) -> Result<[u8; 32], String> {
        let mut hasher = Sha256::new();
        let programs = self.programs.lock().clone();
        for path in std::iter::once(&self.config).chain(&programs) {
            let bytes = std::fs::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        Ok(hasher.finalize().into())
    }

    fn read(&self) -> Result<PipelineSet, String> {
        let config = Config::load(Some(&self.config)).map_err(|error| format!("{error:#}"))?;
        for pipeline in &config.pipelines {
            let to = |step: &Step| if let Step::Route { tenant, .. } = step { tenant.clone() } else { None };
            let mut routed = pipeline.steps.iter().filter_map(to);
            if let Some(tenant) = routed.find(|tenant| !self.tenants.contains(tenant)) {
                let name = &pipeline.name;
                return Err(format!(
                    "`{name}` routes to tenant `{tenant}`, which is declared since the start: restart"
                ));
            }
        }
        *self.programs.lock() = programs(&config.pipelines);
        Ok(config.pipeline_set())
    }
}
