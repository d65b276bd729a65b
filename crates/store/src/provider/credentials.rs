//! A section of a file of credentials, as the tools of AWS have it (AWS CLI, "Configuration and credential file settings").

use std::path::PathBuf;

use object_store::aws::AwsCredential;
use zeroize::Zeroizing;

const FILE_BYTES: u64 = 1 << 20;

/// Which file, and which section of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The file.
    pub file: PathBuf,
    /// The section.
    pub name: String,
}

impl Profile {
    /// What is in it now.
    pub(super) fn read(&self) -> Result<AwsCredential, String> {
        let file = self.file.display();
        let failed = |error: std::io::Error| format!("credentials file `{file}` cannot be read: {error}");
        if std::fs::metadata(&self.file).map_err(failed)?.len() > FILE_BYTES {
            return Err(format!("credentials file `{file}` is longer than any"));
        }
        let text = Zeroizing::new(std::fs::read_to_string(&self.file).map_err(failed)?);
        section(&text, &self.name)
            .ok_or_else(|| format!("credentials file `{file}` has no key and secret under `[{}]`", self.name))
    }
}

fn section(text: &str, name: &str) -> Option<AwsCredential> {
    let (mut key_id, mut secret_key, mut token, mut inside) = (None, None, None, false);
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            inside = header.trim_end_matches(']').trim() == name;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside) {
            let value = Some(value.trim().to_owned());
            match key.trim() {
                "aws_access_key_id" => key_id = value,
                "aws_secret_access_key" => secret_key = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    Some(AwsCredential { key_id: key_id?, secret_key: secret_key?, token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections() {
        let text = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=B=\n\n[ log ]\nregion=x\naws_access_key_id=C\n\
                    aws_secret_access_key = D\naws_session_token = E\n[half]\naws_access_key_id = F\n";
        let found = |name: &str| section(text, name).map(|found| (found.key_id, found.secret_key, found.token));
        assert_eq!(found("default"), Some(("A".into(), "B=".into(), None)));
        assert_eq!(found("log"), Some(("C".into(), "D".into(), Some("E".into()))));
        assert_eq!((found("half"), found("none")), (None, None));
    }
}
