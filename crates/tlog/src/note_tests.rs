//! Keys in their text forms, and what a signature does and does not vouch for.

use super::*;

fn signer(name: &str, seed: u8) -> Signer {
    Signer::from_seed(name, [seed; 32]).unwrap()
}

#[test]
fn keys_have_the_text_forms_of_the_specification() {
    // The published example key of the Go implementation of signed notes.
    let private = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let signer = Signer::from_private_text(private).unwrap();
    assert_eq!(*signer.private_text(), private);
    let public = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(signer.public_key().to_string(), public);
    let capitals: PublicKey = public.replace("c74f20a3", "C74F20A3").parse().unwrap();
    assert_eq!((capitals.to_string().as_str(), &capitals), (public, &signer.public_key()));
    let note = signer
        .sign("If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n")
        .unwrap();
    assert!(
        note.ends_with(
            "\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        ),
        "{note}"
    );
}

#[test]
fn texts_that_are_no_keys() {
    let private = signer("a", 1).private_text();
    for text in ["", "PRIVATE+KEY+", "a+b+c", &private[..private.len() - 8], &private.replace("KEY+a", "KEY+b")] {
        assert_eq!(Signer::from_private_text(text).unwrap_err(), NoteError::PrivateKey, "{text}");
    }
    let public = signer("a", 1).public_key().to_string();
    for text in ["", "a", "a+00000000+AQ==", &public.replacen('a', "b", 1)] {
        assert!(matches!(text.parse::<PublicKey>(), Err(NoteError::PublicKey(_))), "{text}");
    }
    for name in ["", "a b", "a+b", "a\nb"] {
        assert_eq!(Signer::from_seed(name, [1; 32]).unwrap_err(), NoteError::Name(name.into()));
    }
}

#[test]
fn secrets_print_redacted() {
    assert_eq!(format!("{:?}", signer("a", 1)), "Signer(a, redacted)");
    assert!(!NoteError::PrivateKey.to_string().contains(&*signer("a", 1).private_text()));
}

#[test]
fn statements() {
    let (ours, other) = (signer("ours", 1), signer("other", 2));
    let keys = [other.public_key(), ours.public_key(), ours.public_key()];
    let note = sign_statement(&ours, "approval", "act: destroy\nby: a\n").unwrap();
    assert_eq!(open_statement(&note, "approval", &keys), Ok("act: destroy\nby: a\n".into()));
    assert!(matches!(open_statement(&note, "certificate", &keys), Err(NoteError::Kind { .. })));
    for trusted in [&keys[..1], &[]] {
        assert!(matches!(open_statement(&note, "approval", trusted), Err(NoteError::Signature { .. })));
    }
    assert_eq!(open_statement("", "approval", &keys), Err(NoteError::Form));
    assert_eq!(open_statement("text\n", "approval", &keys), Err(NoteError::Form));
    for (kind, body) in [("", "a\n"), ("a\nb", "a\n"), ("a", "no line feed"), ("a", "tab\t\n")] {
        assert_eq!(sign_statement(&ours, kind, body), Err(NoteError::Text), "{kind:?} {body:?}");
    }
}

#[test]
fn a_flipped_byte_is_never_believed() {
    let ours = signer("ours", 1);
    let body = "act: destroy\n";
    let note = sign_statement(&ours, "approval", body).unwrap();
    for place in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[place] ^= 1;
        let Ok(altered) = String::from_utf8(bytes) else { continue };
        assert!(open_statement(&altered, "approval", &[ours.public_key()]).is_err(), "byte {place}");
    }
}
