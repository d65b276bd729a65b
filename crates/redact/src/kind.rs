//! What can be recognised.

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)+) => {
        /// What a recogniser finds. Where two overlap, the earlier one here names what was found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $variant,)+
        }

        impl Kind {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As configuration and markers have it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

kinds! {
    /// A private key in PEM.
    PrivateKey "private_key",
    /// A signed JSON web token (RFC 7519).
    Jwt "jwt",
    /// An access key id of AWS, or the secret that belongs to one.
    AwsKey "aws_key",
    /// Tokens of GitHub.
    GithubToken "github_token",
    /// Tokens of GitLab.
    GitlabToken "gitlab_token",
    /// Tokens and webhooks of Slack.
    SlackToken "slack_token",
    /// Keys of Stripe.
    StripeKey "stripe_key",
    /// API keys, client secrets and access tokens of Google.
    GoogleKey "google_key",
    /// Tokens of npm.
    NpmToken "npm_token",
    /// Tokens of PyPI.
    PypiToken "pypi_token",
    /// Keys of Azure in connection strings.
    AzureKey "azure_key",
    /// Keys of other services that can be told by their beginning.
    ApiKey "api_key",
    /// The password in `scheme://user:password@host`.
    UrlPassword "url_password",
    /// What follows `Bearer` or `Basic` (RFC 6750, RFC 7617).
    Authorization "authorization",
    /// The value of a field, parameter or setting that is called like a secret.
    Secret "secret",
    /// The number of a payment card (ISO/IEC 7812).
    Card "card",
    /// An international bank account number (ISO 13616).
    Iban "iban",
    /// A social security number of the United States.
    UsSsn "us_ssn",
    /// A tax id of Germany.
    DeTaxId "de_tax_id",
    /// An identity number of Spain: DNI or NIE.
    EsDni "es_dni",
    /// A fiscal code of Italy.
    ItFiscalCode "it_fiscal_code",
    /// A social security number of France.
    FrNir "fr_nir",
    /// A personal number of Poland.
    PlPesel "pl_pesel",
    /// A taxpayer number of Brazil.
    BrCpf "br_cpf",
    /// An e-mail address.
    Email "email",
    /// An address of IPv4 or IPv6.
    Ip "ip",
}

impl Kind {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// Whether whoever reads it could use it to act as someone else.
    pub fn is_secret(self) -> bool {
        self <= Self::Secret
    }

    fn is_national_id(self) -> bool {
        (Self::UsSsn..=Self::BrCpf).contains(&self)
    }
}

/// No recogniser and no group of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing that can be recognised")]
pub struct UnknownKind(String);

/// What a name in a rule stands for: one recogniser, `secrets`, `national_id`, or `pii`, which is all that is no secret
/// but addresses of IP, as these say more of machines than of people.
///
/// # Errors
/// [`UnknownKind`].
pub fn kinds_called(name: &str) -> Result<Vec<Kind>, UnknownKind> {
    let all = Kind::ALL.iter().copied();
    let kinds: Vec<Kind> = match name {
        "secrets" => all.filter(|kind| kind.is_secret()).collect(),
        "national_id" => all.filter(|kind| kind.is_national_id()).collect(),
        "pii" => all.filter(|kind| !kind.is_secret() && *kind != Kind::Ip).collect(),
        name => all.filter(|kind| kind.name() == name).collect(),
    };
    if kinds.is_empty() { Err(UnknownKind(name.to_owned())) } else { Ok(kinds) }
}

/// Several kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KindSet(u32);

impl KindSet {
    pub(crate) fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }

    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub(crate) fn has_any(self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.has(*kind))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Kind> for KindSet {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        let mut set = Self::default();
        kinds.into_iter().for_each(|kind| set.add(kind));
        set
    }
}
