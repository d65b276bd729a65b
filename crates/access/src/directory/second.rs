//! The second factor: codes of an app (TOTP, RFC 6238), and recovery codes for the day on which the app is gone.
//!
//! SHA-1, six digits, thirty seconds and one step of skew are what every app knows (RFC 6238, 5.2). The step of the latest code is kept
//! with the secret, so that a code is good once, also over a restart and for two who send it at the same time.

use std::collections::BTreeMap;
use std::fmt;

use logkeep_cipher::random_bytes;
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret, Totp};

use super::secret::{self, SecretHash};
use super::{Directory, DirectoryError, UserName};

pub(super) const TABLE: &str = "directory/second_factors";

/// What apps show it under.
const ISSUER: &str = "Logkeep";
/// Bytes of the secret (RFC 4226, 4).
const SECRET_BYTES: usize = 20;
/// Recovery codes that there are at first.
const RECOVERY_CODES: usize = 10;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Factor {
    #[serde(with = "base32")]
    secret: Secret,
    /// Whether its owner has shown that they have it.
    confirmed: bool,
    /// That of the latest code that was used: neither it nor an earlier one is good any more.
    used_step: u64,
    recovery: Vec<SecretHash>,
}

impl fmt::Debug for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factor").field("confirmed", &self.confirmed).finish_non_exhaustive()
    }
}

mod base32 {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use totp_rs::Secret;
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(secret.to_base32()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        Secret::try_from_base32(&*text).map_err(|_| D::Error::custom("a secret that is no base32"))
    }
}

/// By what somebody has proven who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A password; they have no second factor.
    Password,
    /// A password and a code of their app.
    Code,
    /// A password and a recovery code, which is used up.
    RecoveryCode,
}

impl Proof {
    /// As the audit trail has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "password and code",
            Self::RecoveryCode => "password and recovery code",
        }
    }
}

/// What an app needs to know, shown once.
pub struct Enrolment {
    /// The secret in base32, to be typed.
    pub secret: String,
    /// The same as `otpauth://totp/…`, to be shown as a QR code.
    pub uri: String,
}

/// What a code that is right uses up.
enum Use {
    Step(u64),
    Recovery(usize),
}

impl Factor {
    fn new() -> Self {
        let secret = Secret::new_stack(random_bytes::<SECRET_BYTES>());
        Self { secret, confirmed: false, used_step: 0, recovery: Vec::new() }
    }

    pub(super) fn is_on(&self) -> bool {
        self.confirmed
    }

    fn totp(&self, owner: &UserName) -> Totp {
        let account = owner.as_str().to_owned();
        let builder = Builder::new().with_secret(self.secret.clone());
        let named = builder.with_account_name(account).with_issuer(Some(ISSUER));
        named.build().expect("six digits of 20 bytes are as the RFC has it, and no name has a colon")
    }

    fn step_of(&self, owner: &UserName, code: &str, now_ns: i64) -> Option<Use> {
        let now_s = u64::try_from(now_ns / 1_000_000_000).unwrap_or_default();
        let step = self.totp(owner).check(code, now_s)?;
        (step > self.used_step).then_some(Use::Step(step))
    }

    fn recovery_of(&self, owner: &UserName, code: &str) -> Option<Use> {
        let digits = secret::recovery_digits(code)?;
        let shown = secret::recovery(owner.as_str(), &digits);
        self.recovery.iter().position(|hash| hash.is_of(&shown)).map(Use::Recovery)
    }

    fn use_up(&mut self, used: Use) -> Proof {
        match used {
            Use::Step(step) => {
                self.used_step = step;
                Proof::Code
            }
            Use::Recovery(place) => {
                self.recovery.remove(place);
                Proof::RecoveryCode
            }
        }
    }

    /// Replaces the recovery codes; gives them to be shown once.
    fn renew_recovery(&mut self, owner: &UserName) -> Vec<String> {
        let (hashes, codes) = (0..RECOVERY_CODES).map(|_| secret::fresh_recovery(owner.as_str())).unzip();
        self.recovery = hashes;
        codes
    }
}

impl Directory {
    /// The recovery codes somebody has left; `None` for one who has no second factor.
    pub fn second_factor(&self, name: &UserName) -> Option<usize> {
        let tables = self.tables.read();
        tables.factors.get(name).filter(|factor| factor.confirmed).map(|factor| factor.recovery.len())
    }

    /// Whether somebody has nothing beside their password. Of those who come from a provider, it is the provider's to ask for more.
    pub fn lacks_second_factor(&self, name: &UserName) -> bool {
        !self.is_vouched_for(name) && self.second_factor(name).is_none()
    }

    /// Whether this is who they say: by the password, and by a code if they have a second factor. Names, passwords and codes that are wrong
    /// get the same answer, and count alike for how long the next attempt has to wait.
    ///
    /// # Errors
    /// [`DirectoryError::NotRecognised`]; [`DirectoryError::CodeNeeded`] where the password is right and a code is missing;
    /// [`DirectoryError::TooMany`] where it was tried too often.
    pub async fn check_person(
        &self,
        name: &str,
        password: &str,
        code: Option<&str>,
        address: &str,
    ) -> Result<(UserName, Proof), DirectoryError> {
        let attempt = self.attempt(name, address)?;
        let name = self.try_password(name, password).await?;
        let mut proof = Proof::Password;
        if self.second_factor(&name).is_some() {
            let Some(code) = code else {
                // Neither right nor wrong: what was wrong before is not forgiven for it.
                self.lockout.lock().taken_back(&attempt);
                return Err(DirectoryError::CodeNeeded);
            };
            proof = self.use_code(&name, code).await?;
        }
        self.lockout.lock().succeeded(&attempt);
        Ok((name, proof))
    }

    /// Uses a code up, which is in the catalog before it lets anybody in.
    async fn use_code(&self, name: &UserName, code: &str) -> Result<Proof, DirectoryError> {
        let _turn = self.turn.lock().await;
        let now_ns = self.now_ns();
        let used = {
            let tables = self.tables.read();
            let factor = tables.factors.get(name).filter(|factor| factor.confirmed);
            factor.and_then(|factor| factor.step_of(name, code, now_ns).or_else(|| factor.recovery_of(name, code)))
        };
        let used = used.ok_or(DirectoryError::NotRecognised)?;
        self.change_factor(name, |factor| factor.use_up(used)).await
    }

    /// Makes a secret for somebody's app. It counts once [`Directory::confirm_second_factor`] has seen a code of it; until then another one
    /// takes its place.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] where they have a second factor, or no password that it could be beside.
    pub async fn begin_second_factor(&self, name: &UserName) -> Result<Enrolment, DirectoryError> {
        let _turn = self.turn.lock().await;
        if self.second_factor(name).is_some() {
            let what = format!("`{name}` has a second factor: switch it off first");
            return Err(DirectoryError::Refused(what));
        }
        if !self.has_password(name) {
            return Err(DirectoryError::Refused(format!("`{name}` does not sign in with a password")));
        }
        let factor = Factor::new();
        let enrolment = Enrolment {
            secret: factor.secret.to_base32(),
            uri: factor.totp(name).to_url().expect("a name is not empty, and none has a colon"),
        };
        self.change(TABLE, |tables| &mut tables.factors, |factors| drop(factors.insert(name.clone(), factor))).await?;
        Ok(enrolment)
    }

    /// Switches the second factor on, if the code is one of its app; gives the recovery codes, to be shown once.
    ///
    /// # Errors
    /// [`DirectoryError::NotRecognised`] if it is not, or there is nothing to confirm.
    pub async fn confirm_second_factor(
        &self,
        name: &UserName,
        code: &str,
        address: &str,
    ) -> Result<Vec<String>, DirectoryError> {
        let attempt = self.attempt(name.as_str(), address)?;
        let _turn = self.turn.lock().await;
        let now_ns = self.now_ns();
        let used = {
            let tables = self.tables.read();
            let pending = tables.factors.get(name).filter(|factor| !factor.confirmed);
            pending.and_then(|factor| factor.step_of(name, code, now_ns))
        };
        let used = used.ok_or(DirectoryError::NotRecognised)?;
        self.lockout.lock().succeeded(&attempt);
        let confirm = |factor: &mut Factor| {
            factor.use_up(used);
            factor.confirmed = true;
            factor.renew_recovery(name)
        };
        self.change_factor(name, confirm).await
    }

    /// Makes new recovery codes, to be shown once; those that there were are worth nothing.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`] if they have no second factor.
    pub async fn renew_recovery_codes(&self, name: &UserName) -> Result<Vec<String>, DirectoryError> {
        let _turn = self.turn.lock().await;
        if self.second_factor(name).is_none() {
            return Err(none_of(name));
        }
        self.change_factor(name, |factor| factor.renew_recovery(name)).await
    }

    /// Switches the second factor off.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`] if they have none.
    pub async fn end_second_factor(&self, name: &UserName) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        let end = |factors: &mut BTreeMap<UserName, Factor>| factors.remove(name).is_some();
        let ended = self.change(TABLE, |tables| &mut tables.factors, end).await?;
        if ended { Ok(()) } else { Err(none_of(name)) }
    }

    /// With the turn held.
    async fn change_factor<T>(
        &self,
        name: &UserName,
        change: impl FnOnce(&mut Factor) -> T,
    ) -> Result<T, DirectoryError> {
        let changed = |factors: &mut BTreeMap<UserName, Factor>| factors.get_mut(name).map(change);
        self.change(TABLE, |tables| &mut tables.factors, changed).await?.ok_or_else(|| none_of(name))
    }
}

pub(super) fn none_of(name: &UserName) -> DirectoryError {
    DirectoryError::NotFound(format!("second factor of `{name}`"))
}
