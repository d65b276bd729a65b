//! Signed statements that an act may be carried out (docs/guide/approvals.md has the form).

use std::fmt;

use logkeep_tlog::{NoteError, PublicKey, Signer, open_statement, sign_statement};

use super::hash;
use crate::directory::UserName;

/// What the first line of the note says after `logkeep statement `: a note of any other kind is no approval.
const KIND: &str = "approval";
const VERSION: &str = "1";
const WAIVED: &str = "nobody else could approve";

/// Why an act may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A second person has approved it.
    Approved {
        /// Who.
        by: UserName,
    },
    /// There was nobody else who could have.
    Waived,
    /// The requester had broken the glass.
    BreakGlass {
        /// Which time.
        id: String,
        /// What for.
        reason: String,
    },
}

/// As the audit trail says it.
impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved { by } => write!(f, "approved by {by}"),
            Self::Waived => write!(f, "waived, {WAIVED}"),
            Self::BreakGlass { id, reason } => write!(f, "by break-glass {id} ({reason})"),
        }
    }
}

/// That an act may be carried out, once and soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text of the act.
    pub act: String,
    /// Random; no other statement has it.
    pub id: String,
    /// Who asked.
    pub requester: UserName,
    /// Why it may be done.
    pub ground: Ground,
    /// When it was asked for, nanoseconds.
    pub requested_ns: i64,
    /// When it was approved, nanoseconds.
    pub approved_ns: i64,
    /// From when on it is worth nothing, nanoseconds.
    pub expires_ns: i64,
}

/// A statement, and the note that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub statement: Statement,
    /// As it was signed.
    pub note: String,
}

impl Statement {
    /// The hash of the act.
    pub fn hash(&self) -> String {
        hash(&self.act)
    }

    fn body(&self) -> String {
        let ground = match &self.ground {
            Ground::Approved { by } => format!("approver {by}"),
            Ground::Waived => format!("waived {WAIVED}"),
            Ground::BreakGlass { id, reason } => format!("break-glass {id} {reason}"),
        };
        format!(
            "version {VERSION}\nact {}\nhash {}\nid {}\nrequester {}\n{ground}\nrequested {}\napproved {}\nexpires {}\n",
            self.act,
            self.hash(),
            self.id,
            self.requester,
            self.requested_ns,
            self.approved_ns,
            self.expires_ns,
        )
    }

    pub(crate) fn sign(self, signer: &Signer) -> Result<Signed, NoteError> {
        let note = sign_statement(signer, KIND, &self.body())?;
        Ok(Signed { statement: self, note })
    }

    /// What a note says that `key` signed.
    pub(crate) fn open(note: &str, key: &PublicKey) -> Result<Self, String> {
        let body = open_statement(note, KIND, std::slice::from_ref(key)).map_err(|error| error.to_string())?;
        let read = Self::parse(&body).ok_or("it is not written as a statement is")?;
        // Printing what was read catches every second way of writing the same, lines too many, and a hash of another act.
        if read.body() == body { Ok(read) } else { Err("it is not written as a statement is".to_owned()) }
    }

    fn parse(body: &str) -> Option<Self> {
        let mut lines = body.lines();
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        if field("version")? != VERSION {
            return None;
        }
        let act = field("act")?.to_owned();
        field("hash")?;
        let id = field("id")?.to_owned();
        let requester = UserName::of_anybody(field("requester")?).ok()?;
        let ground = ground(lines.next()?)?;
        let mut time = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ')?.parse::<i64>().ok();
        let (requested_ns, approved_ns, expires_ns) = (time("requested")?, time("approved")?, time("expires")?);
        Some(Self { act, id, requester, ground, requested_ns, approved_ns, expires_ns })
    }
}

fn ground(line: &str) -> Option<Ground> {
    let (name, rest) = line.split_once(' ')?;
    match name {
        "approver" => Some(Ground::Approved { by: UserName::of_anybody(rest).ok()? }),
        "waived" if rest == WAIVED => Some(Ground::Waived),
        "break-glass" => {
            let (id, reason) = rest.split_once(' ')?;
            Some(Ground::BreakGlass { id: id.to_owned(), reason: reason.to_owned() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(seed: u8) -> Signer {
        Signer::from_seed("logkeep-0011223344556677/approvals", [seed; 32]).unwrap()
    }

    fn statement(ground: Ground) -> Statement {
        Statement {
            act: r#"{"act":"reset_second_factor","user":"carol","was":null}"#.to_owned(),
            id: "0011223344556677".to_owned(),
            requester: UserName::new("alice").unwrap(),
            ground,
            requested_ns: 1,
            approved_ns: 22,
            expires_ns: 333,
        }
    }

    fn approved() -> Statement {
        statement(Ground::Approved { by: UserName::new("bob").unwrap() })
    }

    #[test]
    fn a_statement_comes_back() {
        let reason = "the store is down".to_owned();
        for ground in [approved().ground, Ground::Waived, Ground::BreakGlass { id: "aa".into(), reason }] {
            let signed = statement(ground.clone()).sign(&signer(1)).unwrap();
            assert_eq!(Statement::open(&signed.note, &signer(1).public_key()), Ok(signed.statement), "{ground:?}");
        }
        let note = approved().sign(&signer(1)).unwrap().note;
        assert!(note.starts_with("logkeep statement approval\nversion 1\nact {\"act\":"), "{note}");
        assert!(note.contains("\nrequester alice\napprover bob\nrequested 1\napproved 22\nexpires 333\n\n"), "{note}");
        assert!(note.contains(&format!("\nhash {}\n", approved().hash())));
    }

    #[test]
    fn no_changed_byte_verifies() {
        let note = approved().sign(&signer(1)).unwrap().note;
        let key = signer(1).public_key();
        for place in 0..note.len() {
            for bit in 0..8 {
                let mut bytes = note.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let Ok(altered) = String::from_utf8(bytes) else { continue };
                assert!(Statement::open(&altered, &key).is_err(), "bit {bit} of byte {place}: {altered}");
            }
            let (head, tail) = (&note.as_bytes()[..place], &note.as_bytes()[place + 1..]);
            let Ok(shorter) = String::from_utf8([head, tail].concat()) else { continue };
            assert!(Statement::open(&shorter, &key).is_err(), "without byte {place}");
        }
    }

    #[test]
    fn every_line_counts() {
        let note = approved().sign(&signer(1)).unwrap().note;
        let key = signer(1).public_key();
        let lines: Vec<&str> = note.lines().take(10).collect();
        for line in &lines {
            let doubled = note.replacen(&format!("{line}\n"), &format!("{line}\n{line}\n"), 1);
            let gone = note.replacen(&format!("{line}\n"), "", 1);
            assert!(Statement::open(&doubled, &key).is_err() && Statement::open(&gone, &key).is_err(), "{line}");
        }
        for (from, to) in [
            ("\"carol\"", "\"alice\""),
            ("requester alice", "requester carol"),
            ("approver bob", "approver carol"),
            ("expires 333", "expires 999"),
        ] {
            assert!(Statement::open(&note.replacen(from, to, 1), &key).is_err(), "{to}");
        }
    }

    #[test]
    fn what_the_key_signed_must_still_be_a_statement() {
        let key = signer(1).public_key();
        let signs = |kind: &str, body: &str| sign_statement(&signer(1), kind, body).unwrap();
        let body = approved().body();
        assert!(Statement::open(&signs(KIND, &body), &key).is_ok());
        assert!(Statement::open(&signs("backup", &body), &key).is_err(), "of another kind");
        let other_hash = body.replace(&approved().hash(), &hash("another act"));
        for bad in [
            other_hash,
            body.replace("version 1", "version 2"),
            body.replace("expires 333", "expires 0333"),
            body.replace("approver bob", "approver Bob"),
            body.replace("approver bob", "waived nobody wanted to"),
            body.replace("approver bob", "seconder bob"),
            format!("{body}more lines\n"),
            String::new(),
        ] {
            assert!(Statement::open(&signs(KIND, &bad), &key).is_err(), "{bad}");
        }
        let elsewhere = approved().sign(&signer(2)).unwrap().note;
        assert!(Statement::open(&elsewhere, &key).is_err(), "by another key");
        let renamed = Signer::from_seed("logkeep-7766554433221100/approvals", [1; 32]).unwrap();
        let note = approved().sign(&renamed).unwrap().note;
        assert!(Statement::open(&note, &key).is_err(), "of another installation");
    }
}
