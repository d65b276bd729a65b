//! What is linked into the program and embedded in it, as a CycloneDX document (version 1.6).
//!
//! Made from what Cargo and npm have locked, so the same commit gives the same bytes: no time, no random number. What only tests or
//! builds need is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// The program, as Cargo knows it, and where it runs.
const PROGRAM: &str = "logkeep";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// One crate or package.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: String,
    version: String,
    license: String,
    purl: String,
    sha256: Option<String>,
}

/// Writes the document for the repository at `root` to `to`; how many parts it names.
pub(crate) fn run(root: &Path, to: &Path) -> io::Result<usize> {
    let arguments = ["tree", "--locked", "-p", PROGRAM, "-e", "normal", "--target", TARGET, "--prefix", "depth"];
    let tree = Command::new("cargo").args(arguments).args(["--format", "|{p}|{l}"]).current_dir(root).output()?;
    if !tree.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&tree.stderr).into_owned()));
    }
    let checksums = checksums(&fs::read_to_string(root.join("Cargo.lock"))?);
    let (mut parts, mut uses) = crates(&String::from_utf8_lossy(&tree.stdout), &checksums)?;
    let lock: Value = serde_json::from_slice(&fs::read(root.join("ui/package-lock.json"))?)?;
    let console = packages(&lock);
    let program = parts.values().find(|part| part.name == PROGRAM).map(|part| part.purl.clone()).unwrap_or_default();
    uses.entry(program.clone()).or_default().extend(console.iter().map(|part| part.purl.clone()));
    parts.extend(console.into_iter().map(|part| (part.purl.clone(), part)));
    let text = serde_json::to_string_pretty(&document(&program, &parts, &uses))?;
    fs::create_dir_all(to.parent().unwrap_or(root))?;
    fs::write(to, text + "\n")?;
    Ok(parts.len() - 1)
}

type Parts = BTreeMap<String, Part>;
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The lines of `cargo tree --prefix depth`, each a crate below the last one that is less deep.
fn crates(tree: &str, checksums: &BTreeMap<(String, String), String>) -> io::Result<(Parts, Uses)> {
    let (mut parts, mut uses, mut above) = (Parts::new(), Uses::new(), Vec::<String>::new());
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let unread = || io::Error::other(format!("`cargo tree` says `{line}`"));
        let fields: Vec<&str> = line.splitn(3, '|').collect();
        let [depth, package, license] = fields[..] else { return Err(unread()) };
        let depth: usize = depth.parse().map_err(|_| unread())?;
        let (name, rest) = package.split_once(" v").ok_or_else(unread)?;
        let version = rest.split_whitespace().next().ok_or_else(unread)?;
        let purl = format!("pkg:cargo/{name}@{version}");
        above.truncate(depth);
        if let Some(user) = above.last() {
            uses.entry(user.clone()).or_default().insert(purl.clone());
        }
        above.push(purl.clone());
        let sha256 = checksums.get(&(name.to_owned(), version.to_owned())).cloned();
        // A crate that was shown before ends in a mark.
        let license = license.trim_end_matches("(*)").trim().replace('/', " OR ");
        let part = Part { name: name.to_owned(), version: version.to_owned(), license, purl: purl.clone(), sha256 };
        parts.entry(purl).or_insert(part);
    }
    Ok((parts, uses))
}

/// SHA-256 of each crate's archive, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        line.map(|text| text.trim_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            Some(((value(package, "name")?, value(package, "version")?), value(package, "checksum")?))
        })
        .collect()
}

/// What the console's build may take in.
fn packages(lock: &Value) -> Vec<Part> {
    let Some(packages) = lock["packages"].as_object() else { return Vec::new() };
    let shipped = packages.iter().filter(|(path, package)| !path.is_empty() && package["dev"] != true);
    let parts = shipped.filter_map(|(path, package)| {
        let name = path.rsplit("node_modules/").next()?.to_owned();
        let version = package["version"].as_str()?.to_owned();
        let license = package["license"].as_str().unwrap_or_default().to_owned();
        let purl = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
        Some((purl.clone(), Part { name, version, license, purl, sha256: None }))
    });
    // In the order of their names, whatever that of the file is.
    parts.collect::<BTreeMap<_, _>>().into_values().collect()
}

fn document(program: &str, parts: &Parts, uses: &Uses) -> Value {
    let component = |part: &Part| {
        let mut component = json!({
            "type": if part.purl == program { "application" } else { "library" },
            "bom-ref": part.purl,
            "name": part.name,
            "version": part.version,
            "purl": part.purl,
        });
        if !part.license.is_empty() {
            component["licenses"] = json!([{ "expression": part.license }]);
        }
        if let Some(sha256) = &part.sha256 {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
        }
        component
    };
    let none = BTreeSet::new();
    let uses = |purl: &String| json!({ "ref": purl, "dependsOn": uses.get(purl).unwrap_or(&none) });
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": parts.get(program).map(component) },
        "components": parts.values().filter(|part| part.purl != program).map(component).collect::<Vec<_>>(),
        "dependencies": parts.keys().map(uses).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0|logkeep v0.1.0 (/src/logkeep)|Apache-2.0\n1|anyhow v1.0.1|MIT OR Apache-2.0\n1|rustls v0.23.1|Apache-2.0/MIT\n\
                        2|ring v0.17.1|ISC\n1|derive v2.0.0 (proc-macro)|MIT\n2|ring v0.17.1|ISC (*)\n";
    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"ring\"\nversion = \"0.17.1\"\nsource = \"registry\"\nchecksum = \"ab12\"\n\n\
                        [[package]]\nname = \"logkeep\"\nversion = \"0.1.0\"\n";

    #[test]
    fn a_tree_becomes_parts_and_who_uses_them() {
        let (parts, uses) = crates(TREE, &checksums(LOCK)).unwrap();
        assert_eq!(parts.len(), 5);
        let ring = &parts["pkg:cargo/ring@0.17.1"];
        assert_eq!((ring.license.as_str(), ring.sha256.as_deref()), ("ISC", Some("ab12")));
        assert_eq!(parts["pkg:cargo/rustls@0.23.1"].license, "Apache-2.0 OR MIT");
        let of = |user: &str| uses[user].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(of("pkg:cargo/derive@2.0.0"), ["pkg:cargo/ring@0.17.1"]);
        assert_eq!(of("pkg:cargo/logkeep@0.1.0").len(), 3);
        assert!(crates("nonsense", &BTreeMap::new()).is_err());
    }

    #[test]
    fn the_console_is_in_it_without_its_tools() {
        let lock = json!({ "packages": {
            "": { "name": "ui" },
            "node_modules/react": { "version": "19.0.0", "license": "MIT" },
            "node_modules/a/node_modules/@b/c": { "version": "1.0.0", "license": "ISC" },
            "node_modules/vite": { "version": "8.0.0", "dev": true },
        } });
        let purls: Vec<_> = packages(&lock).into_iter().map(|part| part.purl).collect();
        assert_eq!(purls, ["pkg:npm/%40b/c@1.0.0", "pkg:npm/react@19.0.0"]);
    }

    #[test]
    fn every_reference_is_a_part() {
        let (parts, uses) = crates(TREE, &checksums(LOCK)).unwrap();
        let document = document("pkg:cargo/logkeep@0.1.0", &parts, &uses);
        assert_eq!(document["metadata"]["component"]["type"], "application");
        assert_eq!(document["components"].as_array().unwrap().len(), 4);
        for entry in document["dependencies"].as_array().unwrap() {
            let named = entry["dependsOn"].as_array().unwrap().iter().chain([&entry["ref"]]);
            assert!(named.into_iter().all(|purl| parts.contains_key(purl.as_str().unwrap())));
        }
    }
}
