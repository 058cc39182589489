//! Lists that their makers sign with minisign.

use std::fmt;

use minisign_verify::{Error, PublicKey, Signature};
use ureq::http::Uri;

use super::Reason;

/// A signature file has four short lines.
pub(super) const MOST_BYTES: usize = 4_096;

/// The key that a list must be signed with.
#[derive(Clone, PartialEq)]
pub struct SigningKey {
    /// As the operator wrote it.
    text: String,
    key: PublicKey,
}

impl SigningKey {
    /// From the second line of a key file, `RW…`. The error says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let key = PublicKey::from_base64(text).map_err(|_| {
            "not a public key of minisign: use the line that begins with `RW` in its `.pub` file"
                .to_owned()
        })?;
        let text = text.to_owned();
        Ok(Self { text, key })
    }

    /// From a key file as minisign writes it: a line of comment, and the key.
    pub fn parse_file(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(str::trim);
        let is_key = |line: &&str| !line.is_empty() && !line.starts_with("untrusted comment:");
        Self::parse(lines.find(is_key).unwrap_or_default())
    }

    /// Tells one key from another.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether `signature` is that of `list`.
    pub(super) fn check(&self, list: &[u8], signature: &[u8]) -> Result<(), Reason> {
        let text = std::str::from_utf8(signature).unwrap_or_default();
        let signature = Signature::decode(text).map_err(|_| Reason::NoSignature)?;
        let verified = self.key.verify(list, &signature, false);
        verified.map_err(|error| match error {
            Error::UnexpectedAlgorithm => Reason::LegacySignature,
            other => Reason::WrongSignature(other.to_string()),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the signature of the list at `url` is: beside it, with `.minisig` behind its name.
pub(super) fn url_of(url: &Uri) -> Option<Uri> {
    let query = url
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let path = format!("{}.minisig{query}", url.path());
    Uri::builder()
        .scheme(url.scheme()?.clone())
        .authority(url.authority()?.clone())
        .path_and_query(path)
        .build()
        .ok()
}
