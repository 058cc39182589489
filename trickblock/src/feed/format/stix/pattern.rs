//! The grammar of patterns, read into what they mean.

use super::{
    meaning::{Bad, Meaning, Together},
    tokens::{Token, tokens},
};
use crate::indicator::{Malformed, Protocol, port, written};

/// Parentheses inside of each other.
const DEEPEST: usize = 32;

/// Reads a whole pattern.
pub(super) fn read(text: &str) -> Result<Meaning, Bad> {
    let tokens = tokens(text).ok_or(Bad::Syntax)?;
    let mut reader = Reader {
        tokens: &tokens,
        depth: 0,
    };
    let meaning = reader.observations()?;
    match reader.tokens {
        [] => Ok(meaning),
        _ => Err(Bad::Syntax),
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    depth: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<&'t Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.first() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.takes(&Token::Word(word.to_owned()))
    }

    fn needs(&mut self, wanted: &Token) -> Result<(), Bad> {
        match self.takes(wanted) {
            true => Ok(()),
            false => Err(Bad::Syntax),
        }
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Bad>) -> Result<T, Bad> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEEPEST {
            return Err(Bad::Depth);
        }
        let done = inner(self)?;
        self.depth = self.depth.saturating_sub(1);
        self.needs(&Token::Sign(')'))?;
        Ok(done)
    }

    /// `FOLLOWEDBY` binds least, then `OR`, then `AND`.
    fn observations(&mut self) -> Result<Meaning, Bad> {
        let mut meaning = self.any_observation()?;
        while self.takes_word("FOLLOWEDBY") {
            meaning = meaning.together_with(self.any_observation()?)?;
        }
        Ok(meaning)
    }

    fn any_observation(&mut self) -> Result<Meaning, Bad> {
        let mut meaning = self.all_observations()?;
        while self.takes_word("OR") {
            meaning = meaning.or(self.all_observations()?)?;
        }
        Ok(meaning)
    }

    fn all_observations(&mut self) -> Result<Meaning, Bad> {
        let mut meaning = self.observation()?;
        while self.takes_word("AND") {
            meaning = meaning.together_with(self.observation()?)?;
        }
        Ok(meaning)
    }

    fn observation(&mut self) -> Result<Meaning, Bad> {
        let simple = self.tokens.first() == Some(&Token::Sign('['));
        let mut meaning = match self.next() {
            Some(Token::Sign('(')) => self.nested(Self::observations)?,
            Some(Token::Sign('[')) => {
                let inner = self.any_comparison()?;
                self.needs(&Token::Sign(']'))?;
                inner
            }
            _ => return Err(Bad::Syntax),
        };
        let mut seen = Vec::new();
        while let Some(kind) = self.qualifier()? {
            if simple && seen.contains(&kind) {
                return Err(Bad::Syntax);
            }
            seen.push(kind);
            // How often, or when, is more than a packet shows.
            let more = Together {
                elsewhere: true,
                ..Together::default()
            };
            meaning = meaning.and(&Meaning::of(more))?;
        }
        Ok(meaning)
    }

    /// The word that begins a qualifier, behind it.
    fn qualifier(&mut self) -> Result<Option<&'static str>, Bad> {
        if self.takes_word("WITHIN") {
            return self.counted("SECONDS", true).map(|()| Some("WITHIN"));
        }
        if self.takes_word("REPEATS") {
            return self.counted("TIMES", false).map(|()| Some("REPEATS"));
        }
        if !self.takes_word("START") {
            return Ok(None);
        }
        self.needs(&Token::Time)?;
        self.needs(&Token::Word("STOP".to_owned()))?;
        self.needs(&Token::Time)?;
        Ok(Some("START"))
    }

    /// A number that is not negative, and what it counts.
    fn counted(&mut self, unit: &str, fraction: bool) -> Result<(), Bad> {
        match self.next() {
            Some(Token::Number(number))
                if !number.starts_with('-') && (fraction || !number.contains('.')) =>
            {
                self.needs(&Token::Word(unit.to_owned()))
            }
            _ => Err(Bad::Syntax),
        }
    }

    fn any_comparison(&mut self) -> Result<Meaning, Bad> {
        let mut meaning = self.all_comparisons()?;
        while self.takes_word("OR") {
            meaning = meaning.or(self.all_comparisons()?)?;
        }
        Ok(meaning)
    }

    fn all_comparisons(&mut self) -> Result<Meaning, Bad> {
        let mut meaning = self.comparison()?;
        while self.takes_word("AND") {
            meaning = meaning.and(&self.comparison()?)?;
        }
        Ok(meaning)
    }

    fn comparison(&mut self) -> Result<Meaning, Bad> {
        if self.takes(&Token::Sign('(')) {
            return self.nested(Self::any_comparison);
        }
        let mut negated = self.takes_word("NOT");
        let exists = self.takes_word("EXISTS");
        let Some(Token::Path(path)) = self.next() else {
            return Err(Bad::Syntax);
        };
        if exists {
            return Ok(Meaning::of(elsewhere(path, negated)));
        }
        // The grammar has it behind the path, but what is meant is clear, and no use.
        if negated {
            return Err(Bad::Negation);
        }
        negated = self.takes_word("NOT");
        let (values, exact) = self.test(&mut negated)?;
        match negated || !exact {
            true => Ok(Meaning::of(elsewhere(path, negated))),
            // One of none never holds.
            false if values.is_empty() => Ok(Meaning::default()),
            false => tested(path, &values).map(Meaning::of),
        }
    }

    /// What is compared with, and whether it is to be just that.
    fn test(&mut self, negated: &mut bool) -> Result<(Vec<String>, bool), Bad> {
        match self.next() {
            Some(Token::Operator(operator @ ("=" | "==" | "!=" | "<>"))) => {
                *negated |= matches!(*operator, "!=" | "<>");
                Ok((vec![self.literal()?], true))
            }
            Some(Token::Operator(_)) => match self.tokens.first() {
                Some(Token::Word(_)) => Err(Bad::Syntax),
                _ => Ok((vec![self.literal()?], false)),
            },
            Some(Token::Word(word)) => match word.as_str() {
                "IN" => Ok((self.set()?, true)),
                "ISSUBSET" => Ok((vec![self.text()?], true)),
                "LIKE" | "MATCHES" | "ISSUPERSET" => Ok((vec![self.text()?], false)),
                _ => Err(Bad::Syntax),
            },
            _ => Err(Bad::Syntax),
        }
    }

    fn text(&mut self) -> Result<String, Bad> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text.clone()),
            _ => Err(Bad::Syntax),
        }
    }

    fn literal(&mut self) -> Result<String, Bad> {
        match self.next() {
            Some(Token::Text(text) | Token::Number(text)) => Ok(text.clone()),
            Some(Token::Word(word)) if matches!(word.as_str(), "true" | "false") => {
                Ok(word.clone())
            }
            Some(Token::Time | Token::Bytes) => Ok(String::new()),
            _ => Err(Bad::Syntax),
        }
    }

    fn set(&mut self) -> Result<Vec<String>, Bad> {
        self.needs(&Token::Sign('('))?;
        if self.takes(&Token::Sign(')')) {
            return Ok(Vec::new());
        }
        let mut values = vec![self.literal()?];
        while self.takes(&Token::Sign(',')) {
            values.push(self.literal()?);
        }
        self.needs(&Token::Sign(')'))?;
        Ok(values)
    }
}

/// What a path stands for.
enum Subject {
    Address,
    Source,
    Port,
    Protocol,
    /// It says what the rest says anyhow.
    Form,
    Elsewhere,
}

fn subject(path: &str) -> Subject {
    match path {
        "ipv4-addr:value" | "ipv6-addr:value" | "network-traffic:dst_ref.value" => Subject::Address,
        "network-traffic:src_ref.value" => Subject::Source,
        "network-traffic:dst_port" => Subject::Port,
        "network-traffic:dst_ref.type" => Subject::Form,
        path if path.starts_with("network-traffic:protocols[") => Subject::Protocol,
        _ => Subject::Elsewhere,
    }
}

/// A test that no packet decides. A negated one about addresses, ports or protocols excludes something.
fn elsewhere(path: &str, negated: bool) -> Together {
    Together {
        elsewhere: true,
        negated: negated && !matches!(subject(path), Subject::Elsewhere),
        ..Together::default()
    }
}

fn tested(path: &str, values: &[String]) -> Result<Together, Bad> {
    let mut together = Together::default();
    match subject(path) {
        Subject::Form => {}
        Subject::Elsewhere => together.elsewhere = true,
        Subject::Source => together.source = true,
        Subject::Address => {
            let nets = values.iter().map(|value| {
                let found = written(value.trim())?.indicator;
                match found.port {
                    None => Ok(found.prefix),
                    Some(_) => Err(Malformed::Address),
                }
            });
            together.nets = Some(nets.collect::<Result<_, _>>()?);
        }
        Subject::Port => {
            let ports = values.iter().map(|value| port(value.trim()));
            together.ports = Some(ports.collect::<Result<_, _>>()?);
        }
        Subject::Protocol => protocols(values, &mut together),
    }
    Ok(together)
}

fn protocols(values: &[String], together: &mut Together) {
    match values {
        [one] if matches!(one.as_str(), "ip" | "ipv4" | "ipv6") => {}
        [one] => match one.parse::<Protocol>() {
            Ok(protocol) if protocol.has_ports() => together.protocol = Some(protocol),
            _ => together.elsewhere = true,
        },
        _ => together.elsewhere = true,
    }
}
