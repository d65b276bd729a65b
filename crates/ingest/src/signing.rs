//! The key that signs checkpoints, of a folder that has one already.

use logkeep_catalog::Catalog;
use logkeep_tlog::Signer;

/// The signer of checkpoints of a folder that has one, and the name of its installation.
pub(crate) async fn existing_signer(catalog: &dyn Catalog) -> Result<(Signer, String), String> {
    let secret = async |name: &str| catalog.secret(name).await.map_err(|error| error.to_string());
    let (Some(seed), Some(name)) = (secret("checkpoint-signer").await?, secret("installation").await?) else {
        return Err("it has no signing key: this is no data folder, or the catalog was replaced".to_owned());
    };
    let installation: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let damaged = || "the signing key is damaged".to_owned();
    let seed = seed.try_into().map_err(|_| damaged())?;
    let signer = Signer::from_seed(&format!("logkeep-{installation}"), seed).map_err(|_| damaged())?;
    Ok((signer, installation))
}
