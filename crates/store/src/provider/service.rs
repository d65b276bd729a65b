//! Services that keep a key and never give it out, and how long they are asked.
//!
//! A service is asked seldom: when a folder is opened, for a tenant that is new, and when keys are rotated. What it
//! unwraps stays in memory ([`super::Keyring`]), so a service that is away delays what needs a key that is not at hand,
//! and nothing else.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use logkeep_cipher::{KEY_BYTES, UnwrapError, random_bytes};
use reqwest::{Certificate, Client, Response, redirect};
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::KeyProviderError;

const CONNECT: Duration = Duration::from_secs(3);
/// One try, with everything that belongs to it.
const TRY: Duration = Duration::from_secs(5);
/// No try begins later than this after the first.
const WITHIN: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Far more than an answer about one key.
const ANSWER_BYTES: usize = 64 << 10;
/// Of what a service says about a failure.
const SAID_CHARS: usize = 200;

/// Keeps the key that wraps all others.
#[async_trait]
pub trait KeyService: Send + Sync + fmt::Debug {
    /// Which service and which of its keys, for people; no secret.
    fn name(&self) -> String;

    /// Encrypts the bytes of a key, so that they come back for the same context alone.
    ///
    /// # Errors
    /// [`KeyProviderError::Away`] and [`KeyProviderError::Denied`]: retry later.
    async fn encrypt(&self, key: &[u8; KEY_BYTES], context: &str) -> Result<Vec<u8>, KeyProviderError>;

    /// What was encrypted for this context.
    ///
    /// # Errors
    /// As [`KeyService::encrypt`]; [`KeyProviderError::Unwrap`] if it was not encrypted so. Do not retry that.
    async fn decrypt(&self, sealed: &[u8], context: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyProviderError>;

    /// Has the service encrypt with a new version of its key from now on. One that does so by itself has nothing to do.
    ///
    /// # Errors
    /// As [`KeyService::encrypt`].
    async fn rotate(&self) -> Result<(), KeyProviderError>;
}

/// Why one try gave nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may be otherwise in a moment.
    Away(String),
    /// It needs somebody to do something.
    Denied(String),
    /// What was to be decrypted was not encrypted by this key for this context.
    Refused,
}

/// Tries until there is an answer, a few times within a bound, so that many who ask do not ask at the same moments.
pub(super) async fn persist<T, F>(service: &str, context: &str, attempt: impl Fn() -> F) -> Result<T, KeyProviderError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let (begun, mut pause, mut tries) = (Instant::now(), FIRST_PAUSE, 1);
    loop {
        let silent = || Err(Failure::Away(format!("no answer within {} s", TRY.as_secs())));
        let what = match timeout(TRY, attempt()).await.unwrap_or_else(|_| silent()) {
            Ok(answer) => return Ok(answer),
            Err(Failure::Refused) => return Err(UnwrapError::Refused { context: context.to_owned() }.into()),
            Err(Failure::Denied(what)) => return Err(KeyProviderError::Denied { service: service.to_owned(), what }),
            Err(Failure::Away(what)) => what,
        };
        let rest = jittered(pause);
        if begun.elapsed() + rest > WITHIN {
            return Err(KeyProviderError::Away { service: service.to_owned(), tries, what });
        }
        sleep(rest).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        tries += 1;
    }
}

/// Between half of it and all of it.
fn jittered(pause: Duration) -> Duration {
    pause / 2 + pause / 2 * u32::from(u8::from_be_bytes(random_bytes())) / 255
}

/// A client that follows no redirection, because a request holds keys, and trusts `authorities` alone where there are any.
pub(super) fn client(is_plain: bool, authorities: Option<&Path>) -> Result<Client, KeyProviderError> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(TRY)
        .redirect(redirect::Policy::none())
        .https_only(!is_plain);
    if let Some(path) = authorities {
        let unusable = |what: String| KeyProviderError::Settings { file: path.to_owned(), what };
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let found = Certificate::from_pem_bundle(&pem).map_err(|_| unusable("it is not PEM".into()))?;
        if found.is_empty() {
            return Err(unusable("it holds no certificate".into()));
        }
        builder = found.into_iter().fold(builder.tls_built_in_root_certs(false), |builder, certificate| {
            builder.add_root_certificate(certificate)
        });
    }
    builder.build().map_err(|error| KeyProviderError::Client(deepest(&error)))
}

/// A request's body, which is wiped once it has been sent.
pub(super) fn body(json: String) -> Bytes {
    Bytes::from_owner(Zeroizing::new(json.into_bytes()))
}

/// All of an answer.
pub(super) async fn read(mut response: Response) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Room for all of it, because a buffer that grows leaves copies behind.
    let mut answer = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if answer.len() + piece.len() > ANSWER_BYTES {
            return Err(Failure::Denied(format!("its answer has more than {ANSWER_BYTES} bytes")));
        }
        answer.extend_from_slice(&piece);
    }
    Ok(answer)
}

/// A request that came to nothing. The address is not repeated: it is in the service's name.
pub(super) fn unreachable(error: &reqwest::Error) -> Failure {
    Failure::Away(deepest(error))
}

/// The innermost cause, which is the one that tells something.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    said(&cause.to_string())
}

/// What somebody else says, on one line of bounded length.
pub(super) fn said(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(SAID_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn tried(answers: &[fn() -> Result<u8, Failure>]) -> (Result<u8, String>, usize) {
        let tries = Cell::new(0);
        let attempt = || {
            let answer = answers[tries.get().min(answers.len() - 1)]();
            tries.set(tries.get() + 1);
            async { answer }
        };
        let result = persist("vault `x`", "a/b", attempt).await;
        (result.map_err(|error| error.to_string()), tries.get())
    }

    fn away() -> Result<u8, Failure> {
        Err(Failure::Away("connection refused".into()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_comes_back_is_asked_again() {
        assert_eq!(tried(&[away, away, || Ok(7)]).await, (Ok(7), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_needs_somebody_is_said_at_once() {
        let (denied, tries) = tried(&[|| Err(Failure::Denied("permission denied".into()))]).await;
        assert_eq!(tries, 1);
        assert!(denied.unwrap_err().contains("vault `x` refuses: permission denied"));
        let (refused, tries) = tried(&[|| Err(Failure::Refused)]).await;
        assert!(refused.unwrap_err().contains("`a/b` does not open") && tries == 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_asks_for_ever() {
        let begun = Instant::now();
        let (given_up, tries) = tried(&[away]).await;
        let said = given_up.unwrap_err();
        assert!(said.contains("connection refused") && said.contains(&format!("{tries} tries")), "{said}");
        assert!((5..=12).contains(&tries), "{tries}");
        assert!(begun.elapsed() <= WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_says_nothing_is_not_waited_for() {
        let begun = Instant::now();
        let answer = persist("x", "a", || async {
            std::future::pending::<()>().await;
            Ok(())
        });
        let error = answer.await.unwrap_err().to_string();
        assert!(error.contains("no answer within 5 s"), "{error}");
        assert!(begun.elapsed() <= WITHIN + TRY);
    }

    #[test]
    fn what_others_say_is_bounded() {
        assert_eq!(said("a\nb"), "a b");
        assert_eq!(said(&"é".repeat(1_000)).chars().count(), SAID_CHARS);
    }
}
