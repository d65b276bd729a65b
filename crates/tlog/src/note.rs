//! Signed notes (C2SP signed-note, <https://c2sp.org/signed-note>) with Ed25519 keys.
//!
//! Checkpoints and statements (approvals, certificates of destruction) are texts that anyone may hold and check later
//! with a public key of one line. A statement's first line names its kind and holds spaces, which no checkpoint's
//! origin does, so neither can be passed off as the other.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::SigningKey;
use signed_note::{Note, StandardSigner, StandardVerifier, Verifier, VerifierList};
use zeroize::{Zeroize, Zeroizing};

const STATEMENT: &str = "logkeep statement ";

/// Why a note was not signed or not believed. Do not retry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoteError {
    /// Not a name for a key.
    #[error("`{0}` is not the name of a key: no spaces, no `+`, not empty")]
    Name(String),
    /// Not a private key of one line.
    #[error("the private key is not one: expected `PRIVATE+KEY+<name>+<id>+<base64>`; it was cut or is another file")]
    PrivateKey,
    /// Not a public key of one line.
    #[error("`{0}` is not a public key: expected `<name>+<id>+<base64>`")]
    PublicKey(String),
    /// The text cannot be signed.
    #[error(
        "the text cannot be signed: it must be UTF-8 of at most 1 MB, end in a line feed and hold no other control character"
    )]
    Text,
    /// Not a note.
    #[error("this is no signed note: expected a text, an empty line, and lines that begin with `— `")]
    Form,
    /// Nobody we trust signed it, or it was altered after they did.
    #[error("no valid signature by {expected}: {cause}")]
    Signature {
        /// The names of the keys that were trusted.
        expected: String,
        /// What was found.
        cause: String,
    },
    /// Well signed, but something else.
    #[error("the note is not a statement of kind `{expected}`, it begins `{found}`")]
    Kind {
        /// The kind that was wanted.
        expected: String,
        /// Its first line.
        found: String,
    },
}

/// A private key that signs notes under a name. Prints redacted.
pub struct Signer {
    name: String,
    key: SigningKey,
    inner: StandardSigner,
}

impl Signer {
    /// The signer whose Ed25519 seed is these 32 secret random bytes.
    ///
    /// # Errors
    /// [`NoteError::Name`] if notes cannot carry the name.
    pub fn from_seed(name: &str, mut seed: [u8; 32]) -> Result<Self, NoteError> {
        if !valid_name(name) {
            return Err(NoteError::Name(name.chars().take(200).collect()));
        }
        let key = SigningKey::from_bytes(&seed);
        seed.zeroize();
        let text = private_text(name, &key);
        let inner = StandardSigner::new(&text).map_err(|_| NoteError::PrivateKey)?;
        Ok(Self { name: name.to_owned(), key, inner })
    }

    /// The signer whose private key has this text form.
    ///
    /// # Errors
    /// [`NoteError::PrivateKey`]; the text is not repeated.
    pub fn from_private_text(text: &str) -> Result<Self, NoteError> {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let text = text.trim_end_matches('\n');
        StandardSigner::new(text).map_err(|_| NoteError::PrivateKey)?;
        let mut parts = text.trim_start_matches("PRIVATE+KEY+").splitn(3, '+');
        let (Some(name), Some(_), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::PrivateKey);
        };
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| NoteError::PrivateKey)?);
        let seed: [u8; 32] = bytes.get(1..).and_then(|seed| seed.try_into().ok()).ok_or(NoteError::PrivateKey)?;
        Self::from_seed(name, seed)
    }

    /// The private key as one line, to be kept secret: `PRIVATE+KEY+<name>+<id>+<base64>`.
    pub fn private_text(&self) -> Zeroizing<String> {
        private_text(&self.name, &self.key)
    }

    /// The name that notes carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that checks what this one signs.
    pub fn public_key(&self) -> PublicKey {
        let text = signed_note::new_ed25519_verifier_key(&self.name, &self.key.verifying_key());
        text.parse().expect("the key was made by the function that writes this form")
    }

    pub(crate) fn sign(&self, text: &str) -> Result<String, NoteError> {
        sign(&[self], text)
    }
}

fn sign(signers: &[&Signer], text: &str) -> Result<String, NoteError> {
    let mut note = Note::new(text.as_bytes(), &[]).map_err(|_| NoteError::Text)?;
    for signer in signers {
        note.add_sigs(&[&signer.inner]).map_err(|_| NoteError::Text)?;
    }
    String::from_utf8(note.to_bytes()).map_err(|_| NoteError::Text)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, redacted)", self.name)
    }
}

fn private_text(name: &str, key: &SigningKey) -> Zeroizing<String> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let mut public = vec![ED25519];
    public.extend_from_slice(key.verifying_key().as_bytes());
    let secret = Zeroizing::new([&[ED25519], key.as_bytes().as_slice()].concat());
    let id = signed_note::key_id(name, &public);
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(secret.as_slice()));
    Zeroizing::new(format!("PRIVATE+KEY+{name}+{id:08x}+{}", encoded.as_str()))
}

/// The signature type of Ed25519 in signed notes.
const ED25519: u8 = 1;

fn valid_name(name: &str) -> bool {
    signed_note::is_key_name_valid(name) && !name.chars().any(char::is_control)
}

/// A public key of one line, `<name>+<id>+<base64>`: what an auditor needs to check our notes.
#[derive(Clone)]
pub struct PublicKey {
    text: String,
    inner: StandardVerifier,
}

impl PublicKey {
    /// The name that notes carry.
    pub fn name(&self) -> &str {
        self.inner.name()
    }
}

impl FromStr for PublicKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let text = text.trim_end_matches('\n');
        match StandardVerifier::new(text) {
            Ok(inner) if valid_name(inner.name()) => Ok(Self { text: canonical(text), inner }),
            _ => Err(NoteError::PublicKey(text.chars().take(200).collect())),
        }
    }
}

/// The one way to write a key: the digits of its id may come in capitals.
fn canonical(text: &str) -> String {
    let parts = text.splitn(3, '+').enumerate();
    let written = parts.map(|(place, part)| if place == 1 { part.to_ascii_lowercase() } else { part.to_owned() });
    written.collect::<Vec<_>>().join("+")
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.text)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PublicKey {}

/// The text of a note that at least one of `trusted` signed, and no trusted signature on it is wrong.
pub(crate) fn open(note: &str, trusted: &[PublicKey]) -> Result<String, NoteError> {
    let parsed = Note::from_bytes(note.as_bytes()).map_err(|_| NoteError::Form)?;
    let mut verifiers: Vec<Box<dyn Verifier>> = Vec::new();
    for (place, key) in trusted.iter().enumerate() {
        // The same key twice would be called ambiguous.
        if !trusted[..place].contains(key) {
            verifiers.push(Box::new(key.inner.clone()));
        }
    }
    parsed.verify(&VerifierList::new(verifiers)).map_err(|cause| {
        let names: Vec<_> = trusted.iter().map(|key| format!("`{}`", key.name())).collect();
        let expected = if names.is_empty() { "anyone, as no key is trusted".to_owned() } else { names.join(" or ") };
        NoteError::Signature { expected, cause: cause.to_string() }
    })?;
    String::from_utf8(parsed.text().to_vec()).map_err(|_| NoteError::Form)
}

/// Signs a statement: a first line that names its `kind`, then `body`, whose every line ends in a line feed.
///
/// # Errors
/// [`NoteError::Text`] if kind or body hold what a note cannot.
pub fn sign_statement(signer: &Signer, kind: &str, body: &str) -> Result<String, NoteError> {
    cosign_statement(&[signer], kind, body)
}

/// The same, signed by several.
///
/// # Errors
/// [`NoteError::Text`] if kind or body hold what a note cannot.
pub fn cosign_statement(signers: &[&Signer], kind: &str, body: &str) -> Result<String, NoteError> {
    if kind.is_empty() || kind.contains('\n') || !(body.is_empty() || body.ends_with('\n')) {
        return Err(NoteError::Text);
    }
    sign(signers, &format!("{STATEMENT}{kind}\n{body}"))
}

/// The body of a statement of this `kind` that one of the `trusted` keys signed.
///
/// # Errors
/// [`NoteError::Form`], [`NoteError::Signature`] or [`NoteError::Kind`].
pub fn open_statement(note: &str, kind: &str, trusted: &[PublicKey]) -> Result<String, NoteError> {
    let text = open(note, trusted)?;
    let (first, body) = text.split_once('\n').ok_or(NoteError::Form)?;
    if first.strip_prefix(STATEMENT) != Some(kind) {
        return Err(NoteError::Kind { expected: kind.to_owned(), found: first.chars().take(200).collect() });
    }
    Ok(body.to_owned())
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
