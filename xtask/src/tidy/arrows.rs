//! Which room may use which.
//!
//! The order here is the order in ARCHITECTURE.md: a room uses only those before it, so a change in one can break only
//! those after it. A few pairs are apart although the order would allow them, and the chain stays short.

use crate::manifest::Manifest;

/// Rooms, each allowed to use those before it.
const ROOMS: [&str; 23] = [
    "logkeep-record",
    "logkeep-tlog",
    "logkeep-proof",
    "logkeep-cipher",
    "logkeep-wire",
    "logkeep-normalize",
    "logkeep-pattern",
    "logkeep-redact",
    "logkeep-pipeline",
    "logkeep-store",
    "logkeep-segment",
    "logkeep-catalog",
    "logkeep-ingest",
    "logkeep-access",
    "logkeep-query",
    "logkeep-intake",
    "logkeep-collector",
    "logkeep-detect",
    "logkeep-evidence",
    "logkeep-server",
    "logkeep-meshsim",
    "logkeep-demo",
    "logkeep",
];
/// Members of the workspace that may use any room and that no room uses.
const TOOLS: [&str; 3] = ["logkeep-bench", "logkeep-sim", "xtask"];
/// User, used, and why not.
const APART: [(&str, &str, &str); 7] = [
    ("logkeep-tlog", "logkeep-record", "proofs know nothing of records"),
    ("logkeep-cipher", "logkeep-record", "it does not know what it seals"),
    ("logkeep-catalog", "logkeep-segment", "it names segments without opening them"),
    ("logkeep-evidence", "logkeep-detect", "evidence is computed, not detected"),
    ("logkeep-collector", "logkeep-store", "it runs on hosts that store nothing"),
    ("logkeep-collector", "logkeep-query", "it runs on hosts that answer nothing"),
    ("logkeep-collector", "logkeep-ingest", "it reaches ingest over the network only"),
];
/// Crates on the longest path, the binary included.
const LONGEST_CHAIN: usize = 9;

pub(crate) fn check(manifests: &[Manifest]) -> Vec<String> {
    let mut problems = Vec::new();
    for manifest in manifests {
        let name = manifest.name.as_str();
        let own = place(name);
        if own.is_none() && !is_tool(manifest) {
            problems.push(format!("`{name}` has no place in the order of rooms; add it to ARCHITECTURE.md and here"));
            continue;
        }
        for used in &manifest.uses {
            problems.extend(refused(name, own, used));
        }
    }
    let longest = manifests.iter().map(|manifest| chain(manifests, &manifest.name, 0)).max_by_key(Vec::len);
    if let Some(chain) = longest.filter(|chain| chain.len() > LONGEST_CHAIN) {
        problems.push(format!("the chain {} has {} crates, at most {LONGEST_CHAIN}", chain.join(" → "), chain.len()));
    }
    problems
}

fn place(name: &str) -> Option<usize> {
    ROOMS.iter().position(|room| *room == name)
}

/// Tools lie outside `crates/`, whatever they are called.
fn is_tool(manifest: &Manifest) -> bool {
    TOOLS.contains(&manifest.name.as_str()) || manifest.folder.ends_with("bench") || manifest.folder.ends_with("xtask")
}

fn refused(name: &str, own: Option<usize>, used: &str) -> Option<String> {
    let Some(used_place) = place(used) else {
        return Some(format!("`{name}` uses `{used}`, which is no room"));
    };
    if own.is_some_and(|own| used_place >= own) {
        return Some(format!(
            "`{name}` uses `{used}`, which does not come before it; a room uses only those before it"
        ));
    }
    let apart = APART.iter().find(|(user, other, _)| *user == name && *other == used);
    apart.map(|(_, _, why)| format!("`{name}` uses `{used}`: {why}"))
}

/// The longest path from a crate down. The depth ends a circle, which is reported as an arrow anyway.
fn chain(manifests: &[Manifest], name: &str, depth: usize) -> Vec<String> {
    let mut longest = Vec::new();
    let manifest = manifests.iter().find(|manifest| manifest.name == name);
    for used in manifest.iter().flat_map(|manifest| &manifest.uses).filter(|_| depth < ROOMS.len()) {
        let below = chain(manifests, used, depth + 1);
        if below.len() > longest.len() {
            longest = below;
        }
    }
    longest.insert(0, name.to_owned());
    longest
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// `crates` is a line per crate: `user: used used`, without the common prefix.
    fn run(crates: &str) -> Vec<String> {
        let full = |name: &str| if name == "logkeep" { name.to_owned() } else { format!("logkeep-{name}") };
        let manifests: Vec<_> = crates
            .lines()
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, uses)| Manifest {
                name: full(name.trim()),
                folder: PathBuf::from("crates").join(name.trim()),
                uses: uses.split_whitespace().map(full).collect(),
                workspace_lints: true,
                roots: Vec::new(),
            })
            .collect();
        check(&manifests)
    }

    #[test]
    fn arrows_point_up_the_table() {
        assert_eq!(run("record:\nstore: record cipher\ncipher:\nlogkeep: store"), [""; 0]);
        assert_eq!(
            run("record: store")[0],
            "`logkeep-record` uses `logkeep-store`, which does not come before it; a room uses only those before it"
        );
        assert!(run("record: record")[0].contains("does not come before it"));
        assert_eq!(
            run("catalog: segment"),
            ["`logkeep-catalog` uses `logkeep-segment`: it names segments without opening them"]
        );
        assert_eq!(run("server: utils"), ["`logkeep-server` uses `logkeep-utils`, which is no room"]);
        assert_eq!(run("utils: record").len(), 1);
    }

    #[test]
    fn chains_stay_short() {
        let nine = "record:\nwire: record\nnormalize: wire\nstore: normalize\nsegment: store\n\
                    ingest: segment\nquery: ingest\nserver: query\nlogkeep: server";
        assert_eq!(run(nine), [""; 0]);
        let ten = nine.replace("server: query", "server: intake\nintake: query");
        assert_eq!(run(&ten).len(), 1, "{:?}", run(&ten));
        assert!(run(&ten)[0].contains("has 10 crates"));
    }

    #[test]
    fn a_circle_ends() {
        assert!(!run("store: wire\nwire: store").is_empty());
    }
}
