//! Second factors over a real catalog; codes are computed as an app does, from what the enrolment shows.

use totp_rs::Totp;

use super::*;
use crate::approval::Act;
use crate::directory::{By, Enrolment, Proof};

const START_NS: i64 = 1_000 * HOUR_NS;
const STEP_NS: i64 = 30 * 1_000_000_000;

/// What the app shows at a moment.
fn code(enrolment: &Enrolment, at_ns: i64) -> String {
    Totp::from_url(&enrolment.uri).unwrap().generate((at_ns / 1_000_000_000) as u64).to_string()
}

/// Alice, who has enrolled with the code of the moment.
async fn enrolled(lab: &Lab) -> (Enrolment, Vec<String>) {
    lab.directory.add_user(&name("alice"), Some(PASSWORD), roles(&[Role::Analyst])).await.unwrap();
    let enrolment = lab.directory.begin_second_factor(&name("alice")).await.unwrap();
    let now = code(&enrolment, lab.clock.now_ns());
    let codes = lab.directory.confirm_second_factor(&name("alice"), &now, "x").await.unwrap();
    (enrolment, codes)
}

async fn sign_in(lab: &Lab, password: &str, code: Option<&str>) -> Result<Proof, String> {
    let checked = lab.directory.check_person("Alice", password, code, "x").await;
    checked.map(|(_, proof)| proof).map_err(|error| error.to_string())
}

const WRONG: &str = "not recognised";
const NEEDED: &str = "a code of your app is needed as well, or a recovery code";

#[tokio::test]
async fn a_code_is_needed_once_it_was_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path(), Arc::new(ManualClock::at(START_NS))).await;
    lab.directory.add_user(&name("alice"), Some(PASSWORD), roles(&[Role::Analyst])).await.unwrap();
    let first = lab.directory.begin_second_factor(&name("alice")).await.unwrap();
    assert!(first.uri.starts_with("otpauth://totp/Logkeep:alice?"), "{}", first.uri);
    assert!(first.uri.contains(&format!("secret={}", first.secret)));
    assert_eq!(sign_in(&lab, PASSWORD, None).await, Ok(Proof::Password), "not before it is confirmed");
    let second = lab.directory.begin_second_factor(&name("alice")).await.unwrap();
    let confirm = async |code: String| lab.directory.confirm_second_factor(&name("alice"), &code, "x").await;
    assert!(confirm(code(&first, START_NS)).await.is_err(), "of the one whose place was taken");
    assert!(lab.directory.lacks_second_factor(&name("alice")));
    assert_eq!(confirm(code(&second, START_NS)).await.unwrap().len(), 10);
    assert!(confirm(code(&second, START_NS + STEP_NS)).await.is_err(), "there is nothing to confirm any more");

    assert_eq!(sign_in(&lab, PASSWORD, None).await, Err(NEEDED.into()));
    assert_eq!(sign_in(&lab, "wrong", None).await, Err(WRONG.into()), "a wrong password does not tell of the code");
    assert_eq!(sign_in(&lab, PASSWORD, Some("")).await, Err(WRONG.into()));
    set(&lab.clock, START_NS + STEP_NS);
    let right = code(&second, START_NS + STEP_NS);
    assert_eq!(sign_in(&lab, "wrong", Some(&right)).await, Err(WRONG.into()), "and does not use it up");
    assert_eq!(sign_in(&lab, PASSWORD, Some(&right)).await, Ok(Proof::Code));

    let again = lab.directory.begin_second_factor(&name("alice")).await.err().unwrap();
    assert_eq!(again.to_string(), "`alice` has a second factor: switch it off first");
    let link = lab.directory.add_link(Purpose::SignIn(name("alice")), Duration::from_secs(60)).await.unwrap();
    assert!(lab.directory.sign_in_by_link(&link, "x").await.is_err(), "a link is one factor");
    lab.directory.end_second_factor(&name("alice")).await.unwrap();
    assert_eq!(sign_in(&lab, PASSWORD, None).await, Ok(Proof::Password));
}

#[tokio::test]
async fn codes_of_one_step_beside_the_time_are_good_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path(), Arc::new(ManualClock::at(START_NS))).await;
    let (enrolment, _) = enrolled(&lab).await;
    let now_ns = START_NS + 100 * STEP_NS;
    set(&lab.clock, now_ns);
    for (steps, expected) in [(-2, false), (2, false), (-1, true), (0, true), (1, true)] {
        let right = code(&enrolment, now_ns + steps * STEP_NS);
        assert_eq!(sign_in(&lab, PASSWORD, Some(&right)).await.is_ok(), expected, "{steps} steps");
    }
    for steps in [-1, 0, 1] {
        let used = code(&enrolment, now_ns + steps * STEP_NS);
        assert_eq!(sign_in(&lab, PASSWORD, Some(&used)).await, Err(WRONG.into()), "{steps} steps, a second time");
    }
}

#[tokio::test]
async fn no_code_is_good_twice_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START_NS));
    let before = lab(folder.path(), clock.clone()).await;
    let (enrolment, recovery) = enrolled(&before).await;
    let confirmed_with = code(&enrolment, START_NS);
    assert_eq!(sign_in(&before, PASSWORD, Some(&confirmed_with)).await, Err(WRONG.into()));
    set(&clock, START_NS + STEP_NS);
    let right = code(&enrolment, START_NS + STEP_NS);
    let both = futures::join!(sign_in(&before, PASSWORD, Some(&right)), sign_in(&before, PASSWORD, Some(&right)));
    assert!(both.0.is_ok() != both.1.is_ok(), "of two at once one is let in: {both:?}");
    assert_eq!(sign_in(&before, PASSWORD, Some(&recovery[3].to_uppercase())).await, Ok(Proof::RecoveryCode));
    drop(before);

    let after = lab(folder.path(), clock.clone()).await;
    for used in [&right, &confirmed_with, &recovery[3]] {
        assert_eq!(sign_in(&after, PASSWORD, Some(used)).await, Err(WRONG.into()), "{used}");
    }
    assert_eq!(after.directory.second_factor(&name("alice")), Some(9));
    assert_eq!(sign_in(&after, PASSWORD, Some(&recovery[0])).await, Ok(Proof::RecoveryCode));
    let renewed = after.directory.renew_recovery_codes(&name("alice")).await.unwrap();
    assert_eq!(
        sign_in(&after, PASSWORD, Some(&recovery[1])).await,
        Err(WRONG.into()),
        "the old ones are worth nothing"
    );
    assert_eq!(sign_in(&after, PASSWORD, Some(&renewed[1])).await, Ok(Proof::RecoveryCode));

    let files = ["c.sqlite", "c.sqlite-wal"].map(|file| std::fs::read(folder.path().join(file)).unwrap_or_default());
    for secret in [&enrolment.secret, &renewed[0], &renewed[0].replace('-', "")] {
        let is_in = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!files.iter().any(is_in), "{secret} is on the disk in the clear");
    }
}

#[tokio::test]
async fn wrong_codes_count_like_wrong_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path(), Arc::new(ManualClock::at(START_NS))).await;
    let (enrolment, _) = enrolled(&lab).await;
    set(&lab.clock, START_NS + STEP_NS);
    for guess in 0..5 {
        // A right password between them forgives nothing.
        assert_eq!(sign_in(&lab, PASSWORD, None).await, Err(NEEDED.into()), "{guess}");
        let wrong = code(&enrolment, START_NS + (guess + 9) * STEP_NS);
        assert_eq!(sign_in(&lab, PASSWORD, Some(&wrong)).await, Err(WRONG.into()), "{guess}");
    }
    let right = code(&enrolment, START_NS + STEP_NS);
    let waits = sign_in(&lab, PASSWORD, Some(&right)).await.unwrap_err();
    assert!(waits.starts_with("too many attempts"), "{waits}");
    let unasked = lab.directory.check_person("alice", PASSWORD, None, "x").await.unwrap_err();
    assert!(matches!(unasked, DirectoryError::TooMany(_)), "{unasked}");
    set(&lab.clock, START_NS + 2 * HOUR_NS);
    let right = code(&enrolment, START_NS + 2 * HOUR_NS);
    assert_eq!(sign_in(&lab, PASSWORD, Some(&right)).await, Ok(Proof::Code));
}

#[tokio::test]
async fn a_reset_ends_sessions_and_lets_the_password_in() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path(), Arc::new(ManualClock::at(START_NS))).await;
    enrolled(&lab).await;
    assert!(lab.directory.users()[0].second_factor);
    let session = lab.directory.begin_session(&name("alice"), "x").await.unwrap();
    let reset = Act::ResetSecondFactor { user: name("alice") };
    lab.directory.carry_out(&reset, None, By::One(None)).await.unwrap();
    assert_eq!(lab.directory.session(&session.secret).await, None);
    assert!(!lab.directory.users()[0].second_factor);
    assert_eq!(sign_in(&lab, PASSWORD, None).await, Ok(Proof::Password));
    let none = lab.directory.carry_out(&reset, None, By::One(None)).await.unwrap_err();
    assert_eq!(none.to_string(), "there is no second factor of `alice`");
}
