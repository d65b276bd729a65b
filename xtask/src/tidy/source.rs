//! What is checked within a file.

/// Folders that exist on one machine only. Written in two pieces, or this file would be the first to fail.
const MACHINE_FOLDERS: [&str; 3] = [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "tmp/")];
const TEXT_ENDINGS: [&str; 11] = ["toml", "md", "yml", "yaml", "json", "sh", "py", "ts", "tsx", "css", "html"];

/// How strictly a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Production code in Rust.
    Rust,
    /// Anything else that people write; scripts and documents may name the system's temporary folder.
    Text,
}

impl Kind {
    /// `None` for tests and for what is no text of ours. `name` is relative to the repository.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let file = name.rsplit('/').next().unwrap_or(name);
        let (stem, ending) = file.rsplit_once('.').unwrap_or((file, ""));
        let test = stem == "tests"
            || stem.ends_with("_tests")
            || stem.ends_with(".test")
            || name.split('/').any(|folder| matches!(folder, "tests" | "e2e" | "testdata"));
        match ending {
            _ if test => None,
            "rs" => Some(Self::Rust),
            ending if TEXT_ENDINGS.contains(&ending) => Some(Self::Text),
            _ if name.starts_with(".ci/") => Some(Self::Text),
            _ => None,
        }
    }
}

/// A Rust file without the test module at its end.
pub(crate) fn production(text: &str) -> &str {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "#[cfg(test)]" {
            let next = text[at + line.len()..].lines().find(|line| !line.starts_with("#["));
            if next.is_some_and(|line| line.starts_with("mod ")) {
                return &text[..at];
            }
        }
        at += line.len();
    }
    text
}

/// Line numbers, from 1, and the folder named there.
pub(crate) fn machine_paths(kind: Kind, text: &str) -> Vec<(usize, &'static str)> {
    let (text, folders) = match kind {
        Kind::Rust => (production(text), &MACHINE_FOLDERS[..]),
        Kind::Text => (text, &MACHINE_FOLDERS[..2]),
    };
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        found.extend(folders.iter().filter(|folder| names(line, folder)).map(|folder| (number + 1, *folder)));
    }
    found
}

/// Whether the folder begins a path there: within a longer path or an address it is another folder.
fn names(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at]
            .ends_with(|before: char| before.is_alphanumeric() || matches!(before, '.' | '-' | '_' | '}' | '/' | '~'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let check = |name: &str, expected: Option<Kind>| assert_eq!(Kind::of(name), expected, "{name}");
        check("crates/a/src/b.rs", Some(Kind::Rust));
        check("README.md", Some(Kind::Text));
        check(".ci/run", Some(Kind::Text));
        check("crates/a/src/b_tests.rs", None);
        check("crates/a/tests/b.rs", None);
        check("ui/src/a.test.ts", None);
        check("ui/logo.png", None);
        check("Cargo.lock", None);
    }

    #[test]
    fn machine_paths_are_found_where_they_begin() {
        let check = |kind: Kind, text: &str, expected: &[usize]| {
            let lines: Vec<usize> = machine_paths(kind, text).into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, expected, "{text}");
        };
        check(Kind::Rust, "let a = 1;\nopen(\"/tmp/x\")", &[2]);
        check(Kind::Text, "cd /tmp/x", &[]);
        check(Kind::Text, "cd /root/x && ls /work/y", &[1, 1]);
        check(Kind::Text, "https://example.com/work/ and ./root/ and a/tmp/", &[]);
        check(Kind::Rust, "fn a() {}\n#[cfg(test)]\nmod tests {\n\"/tmp/x\"\n}", &[]);
        check(Kind::Rust, "#[cfg(test)]\nfn a() { open(\"/tmp/x\") }", &[2]);
    }
}
