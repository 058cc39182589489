//! Feeds that are wrong in every way, and what must hold of their readers all the same.
//!
//! A round draws a valid document of one format and checks it, then changes it again and again and checks what
//! comes of that. All of it follows from the round's seed.

pub mod document;
mod mutate;
mod promise;
mod run;
mod shrink;
mod subject;

pub use self::{
    promise::Broken,
    run::{Found, Plan, Report, real, run},
    subject::{Plant, Subject},
};

use trickblock::feed::Format;

use self::document::Document;
use crate::random::Random;

/// Bodies that are made of each document.
const CHANGED: usize = 12;
/// Real documents among those that are changed, where there are any.
const REAL_PERCENT: usize = 25;

/// A real document, and the format that it is in.
pub type Real = (Format, Vec<u8>);

/// Gives all bodies of the round of `seed` to `each`, the first of them as a document that is right, until
/// one says that this is enough.
fn round(seed: u64, real: &[Real], mut each: impl FnMut(Body<'_>, &mut Random) -> bool) {
    let mut random = Random::new(seed);
    let at = usize::try_from(seed % Format::ALL.len() as u64).expect("a small number");
    let document = Document::draw(Format::ALL[at], &mut random);
    if !each(Body::Right(&document), &mut random) {
        return;
    }
    for _ in 0..CHANGED {
        let (format, body) = match !real.is_empty() && random.percent(REAL_PERCENT) {
            true => random.pick(real),
            false => (document.format, document.body.clone()),
        };
        let other = match random.percent(50) {
            true => Document::draw(format, &mut random),
            false => Document::draw(random.pick(&Format::ALL), &mut random),
        };
        let body = mutate::mutate(&body, &other.body, &mut random);
        if !each(Body::Wrong(format, &body), &mut random) {
            return;
        }
    }
}

/// What a reader is given.
#[derive(Clone, Copy)]
enum Body<'a> {
    Right(&'a Document),
    /// To be read as a format that it may not be in.
    Wrong(Format, &'a [u8]),
}

impl Body<'_> {
    fn format(self) -> Format {
        match self {
            Self::Right(document) => document.format,
            Self::Wrong(format, _) => format,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Right(document) => &document.body,
            Self::Wrong(_, body) => body,
        }
    }

    fn check(self, subject: Subject, random: &mut Random) -> Result<(), Broken> {
        match self {
            Self::Right(document) => promise::of_document(subject, document)?,
            Self::Wrong(format, body) => promise::of_body(subject, format, body)?,
        }
        // Pieces of a byte are slow, and have little to do with what is in them.
        match random.percent(20) {
            true => promise::of_stream(subject, self.bytes(), random),
            false => Ok(()),
        }
    }
}

/// Checks one body that was found before.
pub fn check(subject: Subject, format: Format, body: &[u8]) -> Result<(), Broken> {
    promise::of_body(subject, format, body)?;
    promise::of_stream(subject, body, &mut Random::new(0))
}
