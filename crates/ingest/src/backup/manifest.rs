//! What a backup says of itself: a short signed statement, and the list of its files that the statement commits to.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use logkeep_cipher::sha256;
use logkeep_record::{Class, TenantId};
use logkeep_tlog::{Hash, PublicKey, Signer, open_statement, sign_statement};

use super::copy::Digest;
use crate::state::ClassKey;

const KIND: &str = "backup";
const VERSION: &str = "1";
const CONTENTS_FIRST_LINE: &str = "logkeep-backup-contents 1";

/// The signed statement of one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Whose data, 16 hexadecimal digits.
    pub installation: String,
    /// Its number among the backups in its folder, from 1.
    pub number: u64,
    /// When it was complete, nanoseconds since the Unix epoch.
    pub taken_ns: i64,
    /// The version of the program that made it.
    pub program: String,
    /// Which key file opens it.
    pub key_id: String,
    /// Files that it consists of, shared ones included.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// SHA-256 of the list of files.
    pub contents: [u8; 32],
}

impl Manifest {
    fn body(&self) -> String {
        format!(
            "version {VERSION}\ninstallation {}\nnumber {}\ntaken {}\nprogram {}\nkey {}\nfiles {}\nbytes {}\nrecords {}\ncontents {}\n",
            self.installation,
            self.number,
            self.taken_ns,
            self.program,
            self.key_id,
            self.files,
            self.bytes,
            self.records,
            hex::encode(self.contents)
        )
    }

    pub(super) fn sign(&self, signer: &Signer) -> Result<String, String> {
        sign_statement(signer, KIND, &self.body()).map_err(|error| error.to_string())
    }

    /// The manifest in a note that `key` signed.
    pub(super) fn open(note: &str, key: &PublicKey) -> Result<Self, String> {
        let body = open_statement(note, KIND, std::slice::from_ref(key)).map_err(|error| error.to_string())?;
        let mut lines = body.lines();
        let mut field = |name: &str| {
            let rest = lines.next().and_then(|line| line.strip_prefix(name)).and_then(|rest| rest.strip_prefix(' '));
            rest.map(str::to_owned).ok_or_else(|| format!("it has no line `{name} …` where one must be"))
        };
        let version = field("version")?;
        if version != VERSION {
            return Err(format!(
                "it is a backup of version {version}, this program knows version {VERSION}: use a newer logkeep"
            ));
        }
        let installation = field("installation")?;
        let (number, taken_ns) = (number(&field("number")?)?, number(&field("taken")?)?);
        let (program, key_id) = (field("program")?, field("key")?);
        let (files, bytes) = (self::number(&field("files")?)?, self::number(&field("bytes")?)?);
        let (records, contents) = (self::number(&field("records")?)?, digest(&field("contents")?)?);
        let read = Self { installation, number, taken_ns, program, key_id, files, bytes, records, contents };
        // Printing what was read catches every second way of writing the same, and lines too many.
        if read.body() == body { Ok(read) } else { Err("it is not written as a manifest is".to_owned()) }
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

fn digest(text: &str) -> Result<[u8; 32], String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("`{text}` is not a digest"))
}

/// What one class in a backup adds up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClassLine {
    pub(super) class: ClassKey,
    pub(super) batches: u64,
    pub(super) records: u64,
    /// Root of its tree over all these batches.
    pub(super) root: Hash,
}

/// One file of a backup, named as in a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileLine {
    pub(super) digest: Digest,
    pub(super) path: String,
}

/// The list of what is in a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) classes: Vec<ClassLine>,
    pub(super) files: Vec<FileLine>,
}

impl Contents {
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{CONTENTS_FIRST_LINE}\n");
        for line in &self.classes {
            let (tenant, class) = &line.class;
            text.push_str(&format!("class {tenant} {class} {} {} {}\n", line.batches, line.records, line.root));
        }
        for file in &self.files {
            text.push_str(&format!("file {} {} {}\n", hex::encode(file.digest.sha256), file.digest.bytes, file.path));
        }
        text
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(CONTENTS_FIRST_LINE) {
            return Err(format!("its first line is not `{CONTENTS_FIRST_LINE}`"));
        }
        let mut contents = Self::default();
        let mut names = BTreeSet::new();
        for (at, line) in lines.enumerate() {
            let refused = |what: String| format!("line {}: {what}", at + 2);
            match line.split_once(' ') {
                Some(("class", rest)) => contents.classes.push(class_line(rest).map_err(refused)?),
                Some(("file", rest)) => contents.files.push(file_line(rest, &mut names).map_err(refused)?),
                _ => return Err(refused("neither a class nor a file".to_owned())),
            }
        }
        Ok(contents)
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        sha256(self.to_text().as_bytes())
    }
}

fn class_line(rest: &str) -> Result<ClassLine, String> {
    let parts: Vec<&str> = rest.split(' ').collect();
    let [tenant, class, batches, records, root] = parts.as_slice() else {
        return Err("a class has a tenant, a name, batches, records and a root".to_owned());
    };
    let tenant = TenantId::new(tenant).map_err(|error| error.to_string())?;
    let class = Class::new(class).map_err(|error| error.to_string())?;
    let root = root.parse().map_err(|error: logkeep_tlog::HashError| error.to_string())?;
    Ok(ClassLine { class: (tenant, class), batches: number(batches)?, records: number(records)?, root })
}

fn file_line<'a>(rest: &'a str, names: &mut BTreeSet<&'a str>) -> Result<FileLine, String> {
    let mut parts = rest.splitn(3, ' ');
    let (Some(sha256), Some(bytes), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("a file has a digest, a length and a path".to_owned());
    };
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if path.is_empty() || !Path::new(path).components().all(plain) || !names.insert(path) {
        return Err(format!("`{path}` is not the path of a file in a data folder, or is there twice"));
    }
    Ok(FileLine { digest: Digest { bytes: number(bytes)?, sha256: digest(sha256)? }, path: path.to_owned() })
}

/// Whether all backups in a folder share the file: its name never stands for other bytes.
pub(super) fn is_shared(path: &str) -> bool {
    path.starts_with("objects/") || (path.starts_with("tlog/") && path.contains("/tile/") && !path.contains(".p/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            installation: "0123456789abcdef".into(),
            number: 3,
            taken_ns: 1_790_000_000_000_000_000,
            program: "0.1.0".into(),
            key_id: "fedcba9876543210".into(),
            files: 2,
            bytes: 77,
            records: 5,
            contents: contents().digest(),
        }
    }

    fn contents() -> Contents {
        let class = ClassLine {
            class: (TenantId::default(), Class::audit()),
            batches: 2,
            records: 5,
            root: logkeep_tlog::EMPTY_ROOT,
        };
        let file = |path: &str| FileLine { digest: Digest { bytes: 7, sha256: [9; 32] }, path: path.into() };
        Contents { classes: vec![class], files: vec![file("catalog.key"), file("objects/a/b/segment/with space")] }
    }

    #[test]
    fn what_is_signed_comes_back() {
        let signer = Signer::from_seed("logkeep-0123456789abcdef", [5; 32]).unwrap();
        let note = manifest().sign(&signer).unwrap();
        assert_eq!(Manifest::open(&note, &signer.public_key()), Ok(manifest()));
        let other = Signer::from_seed("logkeep-0123456789abcdef", [6; 32]).unwrap();
        assert!(Manifest::open(&note, &other.public_key()).is_err());
        let newer = manifest().body().replacen("version 1", "version 2", 1);
        let newer = sign_statement(&signer, KIND, &newer).unwrap();
        let refused = Manifest::open(&newer, &signer.public_key()).unwrap_err();
        assert_eq!(refused, "it is a backup of version 2, this program knows version 1: use a newer logkeep");
        let padded = sign_statement(&signer, KIND, &manifest().body().replacen("number 3", "number 03", 1)).unwrap();
        assert!(Manifest::open(&padded, &signer.public_key()).is_err());
    }

    #[test]
    fn contents_come_back_and_name_no_file_outside() {
        let text = contents().to_text();
        assert_eq!(Contents::parse(&text), Ok(contents()));
        let digest = "09".repeat(32);
        for path in ["", "/etc/x", "../x", "a/../../x", "./x", "catalog.key"] {
            let refused = Contents::parse(&format!("{text}file {digest} 7 {path}\n"));
            assert!(refused.is_err(), "{path}: {refused:?}");
        }
        for line in ["what 1", "class default audit 2 5", "class Default audit 2 5 x", "file 09 7 a", "file", ""] {
            assert!(Contents::parse(&format!("{text}{line}\n")).is_err(), "{line}");
        }
        assert!(Contents::parse(&text.replacen("contents 1", "contents 2", 1)).is_err());
    }

    #[test]
    fn shared_names_are_those_that_never_change() {
        assert!(is_shared("objects/default/default/segment/000000000000-000000000003-0123456789ab"));
        assert!(is_shared("tlog/default/default/tile/0/000"));
        assert!(!is_shared("tlog/default/default/tile/0/001.p/7"));
        assert!(!is_shared("tlog/default/default/checkpoint"));
        assert!(!is_shared("wal/000000000001.wal"));
    }
}
