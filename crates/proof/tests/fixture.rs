//! A proof that a server of the first version gave stays one.

use logkeep_proof::verify;

const PROOF: &str = include_str!("fixtures/version-1.json");

#[test]
fn a_proof_of_version_1_holds() {
    let proven = verify(PROOF, None).unwrap();
    assert_eq!(proven.tenant, "default");
    assert_eq!((proven.records, proven.id.index), (6, 3));
    assert!(proven.size > proven.id.batch);
    assert_eq!(proven.source.as_deref(), Some("127.0.0.1"));
}

#[test]
fn another_word_in_its_body_is_noticed() {
    let other = PROOF.replacen("BREAAAB6", "BREAAAB7", 1);
    assert_ne!(other, PROOF);
    assert_eq!(verify(&other, None).unwrap_err().place, "record.hash");
}
