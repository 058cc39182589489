//! Who must have signed a list, and where the signature is.

use std::fs;

use ureq::http::Uri;

use crate::{
    config::{section::Section, value},
    feed::source::{Api, Location, SignedPath, SigningKey},
};

/// Keys that mean nothing without each other, or for what nobody can sign.
pub(super) const KEYS: [&str; 3] = ["minisign", "minisign_file", "signature"];

/// Of a list that is fetched. The answers of an API are nobody's file that could be signed.
pub(super) fn of_url(
    section: &mut Section<'_, '_, '_>,
    api: Option<Api>,
) -> (Option<Box<SigningKey>>, Option<Uri>) {
    if api.is_some() {
        refuse(
            section,
            "lists, not for what an `api` answers: remove one of both",
        );
    }
    let key = key(section);
    let signature = section.parsed("signature", value::url);
    (key, signature.map(|(url, _)| url))
}

/// A list on disk, with the key that it must be signed with, if there is one.
pub(super) fn of_place(section: &mut Section<'_, '_, '_>, place: Location) -> Location {
    let Location::Path(path) = place else {
        refuse(
            section,
            "lists that have a name, which standard input has not: remove it",
        );
        return place;
    };
    let directory = section.problems().directory().to_owned();
    let key = key(section);
    let signature = section.parsed("signature", |text| value::path(text, &directory));
    let signature = signature.map(|(path, _)| path);
    match key {
        Some(key) => Location::Signed(SignedPath {
            path,
            key,
            signature,
        }),
        None => Location::Path(path),
    }
}

fn key(section: &mut Section<'_, '_, '_>) -> Option<Box<SigningKey>> {
    let directory = section.problems().directory().to_owned();
    let written = section.parsed("minisign", SigningKey::parse);
    let filed = section.parsed("minisign_file", |text| {
        let path = value::path(text, &directory)?;
        let shown = path.display();
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("{shown} cannot be read ({error}): create it, or correct the path")
        })?;
        SigningKey::parse_file(&text).map_err(|error| format!("{shown} is {error}"))
    });
    check_pairs(section);
    written.or(filed).map(|(key, _)| Box::new(key))
}

fn check_pairs(section: &mut Section<'_, '_, '_>) {
    let [written, filed, signature] = KEYS.map(|key| section.key_span(key));
    if let (Some(_), Some(span)) = (&written, &filed) {
        let text = "[[feed]] has both `minisign` and `minisign_file`: keep one, a list is signed with one key";
        section.problems().at(span, text);
    }
    if let (None, None, Some(span)) = (written, filed, signature) {
        let text = "`signature` in [[feed]] is checked with a key: add `minisign` or `minisign_file`, or remove it";
        section.problems().at(&span, text);
    }
}

fn refuse(section: &mut Section<'_, '_, '_>, what_for: &str) {
    for key in KEYS {
        if let Some(span) = section.key_span(key) {
            let text = format!("`{key}` in [[feed]] is for {what_for}");
            section.problems().at(&span, text);
        }
    }
}
