//! Where a restored log says which one it was.
//!
//! `tlog/<tenant>/<class>/succession/<3 digits>/` has the statement and the predecessor's checkpoint, once for each time the
//! data were restored. The catalog has the line that every checkpoint of the log must carry, so that removing the files does
//! not make the log forget its past.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_record::{Class, TenantId};

use crate::state::ClassKey;

/// The secret of the catalog that holds [`Lines`].
const SECRET: &str = "succession";
pub(crate) const FOLDER: &str = "succession";
pub(crate) const STATEMENT: &str = "statement";
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// For each class that was restored, the line of its checkpoints.
pub(crate) type Lines = HashMap<ClassKey, String>;

/// What the catalog says.
pub(crate) async fn load(catalog: &dyn Catalog) -> Result<Lines, CatalogError> {
    let text = catalog.secret(SECRET).await?.unwrap_or_default();
    let corrupt = || CatalogError::Corrupt(format!("`meta/{SECRET}` is not as it must be"));
    let text = String::from_utf8(text).map_err(|_| corrupt())?;
    let mut lines = Lines::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ' ');
        let names = (
            parts.next().and_then(|name| TenantId::new(name).ok()),
            parts.next().and_then(|name| Class::new(name).ok()),
        );
        let ((Some(tenant), Some(class)), Some(rest)) = (names, parts.next()) else { return Err(corrupt()) };
        lines.insert((tenant, class), rest.to_owned());
    }
    Ok(lines)
}

/// Replaces what the catalog says.
pub(crate) async fn save(catalog: &dyn Catalog, lines: &Lines) -> Result<(), CatalogError> {
    let mut text: Vec<String> =
        lines.iter().map(|((tenant, class), line)| format!("{tenant} {class} {line}\n")).collect();
    text.sort();
    catalog.set_secret(SECRET, text.concat().as_bytes()).await
}

/// The names of the links of a class, oldest first.
pub(crate) fn links(tlog: &Path, (tenant, class): &ClassKey) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(tlog.join(tenant.as_str()).join(class.as_str()).join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// The files of the links of a class, relative to its folder.
pub(crate) fn files(tlog: &Path, class: &ClassKey) -> io::Result<Vec<String>> {
    let names = links(tlog, class)?.into_iter();
    Ok(names.flat_map(|name| [STATEMENT, CHECKPOINT].map(|file| format!("{FOLDER}/{name}/{file}"))).collect())
}
