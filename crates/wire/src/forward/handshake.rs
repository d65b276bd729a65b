//! Who may send: a key that both know, and users if there are any.
//!
//! The server speaks first. Neither the key nor a password crosses the wire, only digests with the other side's nonce.
//! Texts are taken as bytes: Fluent Bit's salt is sixteen random ones that it calls a string.

use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use crate::msgpack::{MsgpackError, Reader, Token, write_short_bin, write_str};

/// What a client may send before it is known, in bytes.
pub const PING_BYTES: usize = 4 << 10;

/// The server's first word. `auth` is the salt for passwords, empty where there are no users.
pub fn helo(nonce: &[u8; 16], auth: &[u8]) -> Vec<u8> {
    let mut out = vec![0x92];
    write_str(b"HELO", &mut out);
    out.push(0x83);
    write_str(b"nonce", &mut out);
    write_short_bin(nonce, &mut out);
    write_str(b"auth", &mut out);
    write_short_bin(auth, &mut out);
    write_str(b"keepalive", &mut out);
    out.push(0xc3);
    out
}

/// What a client answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping<'a> {
    host: &'a [u8],
    salt: &'a [u8],
    key_digest: &'a [u8],
    /// Whose password it gives.
    pub user: &'a [u8],
    password_digest: &'a [u8],
}

impl Ping<'_> {
    /// What the client calls itself.
    pub fn host(&self) -> String {
        String::from_utf8_lossy(self.host).into_owned()
    }
}

/// Reads a client's answer.
///
/// # Errors
/// [`MsgpackError`]: it is something else; close the connection.
pub fn ping(bytes: &[u8]) -> Result<Ping<'_>, MsgpackError> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != 6 {
        return Err(reader.fault("expected a PING of six parts"));
    }
    let mut parts: [&[u8]; 6] = [b""; 6];
    for part in &mut parts {
        *part = match reader.token()? {
            Token::Str(bytes) | Token::Bin(bytes) => bytes,
            Token::Nil => b"",
            other => return Err(reader.fault(format!("expected a text in PING, found {}", other.name()))),
        };
    }
    let [word, host, salt, key_digest, user, password_digest] = parts;
    if word != b"PING" {
        return Err(reader.fault("expected PING; is the sender without the shared key?"));
    }
    Ok(Ping { host, salt, key_digest, user, password_digest })
}

impl Ping<'_> {
    /// Whether the client has the key.
    pub fn knows_key(&self, nonce: &[u8; 16], key: &[u8]) -> bool {
        same(self.key_digest, &digest(&[self.salt, self.host, nonce, key]))
    }

    /// Whether the client has this password of the user it names.
    pub fn knows_password(&self, auth: &[u8], password: &[u8]) -> bool {
        same(self.password_digest, &digest(&[auth, self.user, password]))
    }

    /// The server's last word, which shows that it has the key as well.
    pub fn accepted(&self, host: &str, nonce: &[u8; 16], key: &[u8]) -> Vec<u8> {
        pong(true, "", host, &digest(&[self.salt, host.as_bytes(), nonce, key]))
    }
}

/// The server's last word to a client it does not take anything from.
pub fn refused(reason: &str) -> Vec<u8> {
    pong(false, reason, "", "")
}

fn pong(accepted: bool, reason: &str, host: &str, digest: &str) -> Vec<u8> {
    let mut out = vec![0x95];
    write_str(b"PONG", &mut out);
    out.push(if accepted { 0xc3 } else { 0xc2 });
    for text in [reason, host, digest] {
        write_str(text.as_bytes(), &mut out);
    }
    out
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha512::new();
    parts.iter().for_each(|part| hasher.update(part));
    hex::encode(hasher.finalize())
}

fn same(sent: &[u8], expected: &str) -> bool {
    sent.ct_eq(expected.as_bytes()).into()
}
