//! Files that the compiler never sees.
//!
//! A file whose `mod` line went away still looks like code and is still searched, read and changed. Rust says nothing
//! about it, so the `mod` lines are followed here.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::Manifest;

/// The `.rs` files of a crate that no root leads to.
pub(crate) fn unreachable(manifest: &Manifest) -> io::Result<Vec<PathBuf>> {
    let all: Vec<PathBuf> = super::files(&manifest.folder)?
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
        .collect();
    let mut open: Vec<PathBuf> = all.iter().filter(|file| is_root(manifest, file)).cloned().collect();
    let mut reached = BTreeSet::new();
    while let Some(file) = open.pop() {
        if file.is_file() && reached.insert(file.clone()) {
            let root = is_root(manifest, &file);
            open.extend(declared(&file, root, &fs::read_to_string(&file)?));
        }
    }
    Ok(all.into_iter().filter(|file| !reached.contains(file)).collect())
}

/// What cargo compiles by itself.
fn is_root(manifest: &Manifest, file: &Path) -> bool {
    let Ok(relative) = file.strip_prefix(&manifest.folder) else { return false };
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    manifest.roots.iter().any(|root| root == file)
        || matches!(
            parts.as_slice(),
            ["build.rs"]
                | ["src", "lib.rs" | "main.rs"]
                | ["src", "bin", _]
                | ["src", "bin", _, "main.rs"]
                | ["tests" | "benches" | "examples", _]
                | ["tests" | "benches" | "examples", _, "main.rs"]
                | ["fuzz_targets", _]
        )
}

/// Where the `mod` and `include!` lines of a file lead; names of files that may not exist are among them.
fn declared(file: &Path, root: bool, text: &str) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().unwrap_or_default();
    let children = if root || stem == "mod" { folder.to_owned() } else { folder.join(stem) };
    let mut found = Vec::new();
    let mut path = None;
    for line in text.lines().map(str::trim) {
        if let Some(quoted) = line.strip_prefix("#[path = \"").and_then(|rest| rest.split_once('"')) {
            path = Some(folder.join(quoted.0));
        } else if let Some(name) = module(line) {
            match path.take() {
                Some(path) => found.push(path),
                None => found.extend([children.join(format!("{name}.rs")), children.join(name).join("mod.rs")]),
            }
        } else if let Some((_, rest)) = line.split_once("include!(\"") {
            found.extend(rest.split_once('"').map(|(name, _)| folder.join(name)));
        } else if !line.starts_with("#[") {
            path = None;
        }
    }
    found
}

/// The name in `mod name;`, with or without a visibility.
fn module(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    };
    rest.trim_start().strip_prefix("mod ")?.split_once(';').map(|(name, _)| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(module(line), expected, "{line}");
        check("mod a;", Some("a"));
        check("pub mod a; // why", Some("a"));
        check("pub(crate) mod a;", Some("a"));
        check("mod a {", None);
        check("// mod a;", None);
        check("model;", None);
    }

    #[test]
    fn places() {
        let check = |file: &str, root: bool, text: &str, expected: &[&str]| {
            let found: Vec<String> =
                declared(Path::new(file), root, text).iter().map(|path| path.display().to_string()).collect();
            assert_eq!(found, expected);
        };
        check("src/lib.rs", true, "mod a;", &["src/a.rs", "src/a/mod.rs"]);
        check("src/a.rs", false, "mod b;", &["src/a/b.rs", "src/a/b/mod.rs"]);
        check("src/a/mod.rs", false, "mod b;", &["src/a/b.rs", "src/a/b/mod.rs"]);
        check("src/a.rs", false, "#[cfg(test)]\n#[path = \"a_tests.rs\"]\nmod tests;", &["src/a_tests.rs"]);
        check("src/a.rs", false, "include!(\"made.rs\");", &["src/made.rs"]);
    }
}
