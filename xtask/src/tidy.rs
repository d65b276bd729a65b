//! All checks, in the order in which they are reported.

mod arrows;
mod modules;
mod source;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::Manifest;

/// Production lines above which a file fails, and above which it is mentioned.
const MOST_LINES: usize = 1000;
const MANY_LINES: usize = 500;
/// Folders that hold nothing of ours.
const FOREIGN: [&str; 8] = ["target", "node_modules", ".git", "dist", "logkeep-data", ".venv", "results", "artifacts"];

/// What was found. Notes are for the reader, problems fail the run.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) crates: usize,
    pub(crate) files: usize,
    pub(crate) problems: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// Checks the repository at `root`.
pub(crate) fn run(root: &Path) -> io::Result<Found> {
    let manifests = Manifest::all(root)?;
    let mut found = Found { crates: manifests.len(), ..Found::default() };
    found.problems.extend(arrows::check(&manifests));
    for manifest in manifests.iter().filter(|manifest| !manifest.workspace_lints) {
        found.problems.push(format!("`{}`: add `[lints]` with `workspace = true` to its Cargo.toml", manifest.name));
    }
    if !root.join("CHANGELOG.md").is_file() {
        found.problems.push("CHANGELOG.md is missing".to_owned());
    }
    for manifest in &manifests {
        for file in modules::unreachable(manifest)? {
            let name = shown(root, &file);
            found.problems.push(format!("`{name}`: no `mod` leads to it; delete it or declare it"));
        }
    }
    for file in files(root)? {
        check_file(root, &file, &mut found)?;
    }
    Ok(found)
}

fn check_file(root: &Path, file: &Path, found: &mut Found) -> io::Result<()> {
    let name = shown(root, file);
    let Some(kind) = source::Kind::of(&name) else { return Ok(()) };
    let text = fs::read_to_string(file)
        .map_err(|cause| io::Error::new(cause.kind(), format!("`{name}` cannot be read as text: {cause}")))?;
    for (line, path) in source::machine_paths(kind, &text) {
        found.problems.push(format!("`{name}` line {line}: `{path}` is a path of one machine"));
    }
    if kind == source::Kind::Rust {
        found.files += 1;
        let lines = source::production(&text).lines().count();
        if lines > MOST_LINES {
            found.problems.push(format!("`{name}` has {lines} lines, at most {MOST_LINES}; split it"));
        } else if lines > MANY_LINES {
            found.notes.push(format!("`{name}` has {lines} lines; split it by {MANY_LINES}"));
        }
    }
    Ok(())
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

/// Every file of ours below `folder`, sorted.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if FOREIGN.iter().any(|foreign| name == *foreign) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"logkeep-record\"\n[lints]\nworkspace = true\n";

    /// The problems of a repository with these files beside a tidy crate `record`.
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        let tidy = [("CHANGELOG.md", ""), ("crates/record/Cargo.toml", MANIFEST), ("crates/record/src/lib.rs", "")];
        for (name, text) in tidy.iter().chain(files) {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(run(root.path()).unwrap().problems, expected);
    }

    #[test]
    fn tidy() {
        check(&[], &[]);
        check(&[("target/x.rs", "\"/root/x\""), ("crates/record/target/y/src/z.rs", "")], &[]);
    }

    #[test]
    fn lints_are_inherited() {
        check(
            &[("crates/record/Cargo.toml", "[package]\nname = \"logkeep-record\"\n")],
            &["`logkeep-record`: add `[lints]` with `workspace = true` to its Cargo.toml"],
        );
    }

    #[test]
    fn dead_files() {
        check(
            &[("crates/record/src/lib.rs", "mod a;\n"), ("crates/record/src/a.rs", ""), ("crates/record/src/b.rs", "")],
            &["`crates/record/src/b.rs`: no `mod` leads to it; delete it or declare it"],
        );
    }

    #[test]
    fn long_files() {
        check(&[("crates/record/src/lib.rs", &"//\n".repeat(1000))], &[]);
        check(
            &[("crates/record/src/lib.rs", &"//\n".repeat(1001))],
            &["`crates/record/src/lib.rs` has 1001 lines, at most 1000; split it"],
        );
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(400), "//\n".repeat(1000));
        check(&[("crates/record/src/lib.rs", &tested)], &[]);
    }

    #[test]
    fn the_changelog_exists() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(run(root.path()).unwrap().problems, ["CHANGELOG.md is missing"]);
    }
}
