//! The few facts of a Cargo.toml that tidiness is about.
//!
//! Read line by line, for our own manifests are plain; what cannot be read so is reported rather than skipped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One crate of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Other crates of the workspace that it needs to build, without those that only its tests need.
    pub(crate) uses: Vec<String>,
    pub(crate) workspace_lints: bool,
    /// Values of `path = …` in `[lib]`, `[[bin]]` and the like: files that no `mod` leads to.
    pub(crate) roots: Vec<PathBuf>,
}

impl Manifest {
    /// The crates of the workspace: `crates/*`, `bench` and `xtask`, by name.
    pub(crate) fn all(root: &Path) -> io::Result<Vec<Self>> {
        let mut folders = vec![root.join("bench"), root.join("xtask")];
        if let Ok(entries) = fs::read_dir(root.join("crates")) {
            for entry in entries {
                folders.push(entry?.path());
            }
        }
        folders.retain(|folder| folder.join("Cargo.toml").is_file());
        let mut manifests = Vec::new();
        for folder in folders {
            let text = fs::read_to_string(folder.join("Cargo.toml"))?;
            manifests.push(Self::parse(&folder, &text));
        }
        manifests.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(manifests)
    }

    pub(crate) fn parse(folder: &Path, text: &str) -> Self {
        let mut manifest = Self {
            name: String::new(),
            folder: folder.to_owned(),
            uses: Vec::new(),
            workspace_lints: false,
            roots: Vec::new(),
        };
        let mut section = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_matches(['[', ']']).to_owned();
                if let Some((_, name)) = section.rsplit_once('.').filter(|(table, _)| is_dependencies(table)) {
                    manifest.add_use(name);
                }
            } else if let Some((key, value)) = line.split_once('=') {
                manifest.entry(&section, key.trim(), value.trim());
            }
        }
        manifest
    }

    fn entry(&mut self, section: &str, key: &str, value: &str) {
        let text = value.trim_matches('"');
        match section {
            "package" if key == "name" => self.name = text.to_owned(),
            "lints" if key == "workspace" => self.workspace_lints = value == "true",
            "lib" | "bin" | "test" | "bench" | "example" if key == "path" => self.roots.push(self.folder.join(text)),
            table if is_dependencies(table) => self.add_use(key.split('.').next().unwrap_or(key)),
            _ => {}
        }
    }

    fn add_use(&mut self, name: &str) {
        let name = name.trim_matches('"').to_owned();
        if name.starts_with("logkeep") && !self.uses.contains(&name) {
            self.uses.push(name);
        }
    }
}

/// `[dependencies]`, `[build-dependencies]`, and both for one target; what only tests need may point anywhere.
fn is_dependencies(section: &str) -> bool {
    let table = section.rsplit('.').next().unwrap_or(section);
    table == "dependencies" || table == "build-dependencies"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_matters() {
        let manifest = Manifest::parse(
            Path::new("x"),
            r#"
                [package]
                name = "logkeep-x"
                # logkeep-no = "1"
                [dependencies]
                logkeep-a = { workspace = true }
                logkeep-b.workspace = true
                serde = "1"
                [dependencies.logkeep-c]
                workspace = true
                [target.'cfg(unix)'.dependencies]
                logkeep-d = { workspace = true }
                [dev-dependencies]
                logkeep-e = { workspace = true }
                [[bin]]
                path = "src/tool.rs"
                [lints]
                workspace = true
            "#,
        );
        assert_eq!(manifest.name, "logkeep-x");
        assert_eq!(manifest.uses, ["logkeep-a", "logkeep-b", "logkeep-c", "logkeep-d"]);
        assert_eq!(manifest.roots, [Path::new("x/src/tool.rs")]);
        assert!(manifest.workspace_lints);
        assert!(!Manifest::parse(Path::new("x"), "[lints]\nworkspace = false").workspace_lints);
    }
}
