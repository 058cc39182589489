//! The tokens of a pattern.

/// One token. Words are upper-case letters, paths have a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// `network-traffic:dst_ref.value`
    Path(String),
    Text(String),
    Number(String),
    /// `t'…'`, `b'…'`, `h'…'`
    Typed,
    /// `=`, `!=`, `<`, …
    Operator(&'static str),
    /// `[`, `]`, `(`, `)`, `,`
    Sign(char),
}

/// Longest pattern that is read.
const MAX_PATTERN: usize = 64 << 10;
const OPERATORS: [&str; 8] = ["!=", "<>", "<=", ">=", "==", "=", "<", ">"];

/// All tokens of `text`; `None` if something in it is none.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    if text.len() > MAX_PATTERN {
        return None;
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, after) = token(rest)?;
        tokens.push(token);
        rest = after.trim_start();
    }
    Some(tokens)
}

fn token(text: &str) -> Option<(Token, &str)> {
    let first = text.chars().next()?;
    if let Some(operator) = OPERATORS
        .iter()
        .find(|operator| text.starts_with(**operator))
    {
        return Some((Token::Operator(operator), text.strip_prefix(operator)?));
    }
    match first {
        '[' | ']' | '(' | ')' | ',' => Some((Token::Sign(first), text.strip_prefix(first)?)),
        '\'' => quoted(text).map(|(text, rest)| (Token::Text(text), rest)),
        't' | 'b' | 'h' if text.get(1..2) == Some("'") => {
            let (_, rest) = quoted(text.get(1..)?)?;
            Some((Token::Typed, rest))
        }
        '0'..='9' | '-' | '+' => {
            let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.'));
            let (number, rest) = text.split_at(end.unwrap_or(text.len()));
            Some((Token::Number(number.to_owned()), rest))
        }
        first if first.is_ascii_alphabetic() => word(text),
        _ => None,
    }
}

/// A text in single quotes, with `\'` and `\\`.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('\'')?;
    let mut found = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((found, inner.get(at.checked_add(1)?..)?)),
            '\\' => found.push(chars.next()?.1),
            c => found.push(c),
        }
    }
    None
}

/// A keyword, or an object path: letters, then steps with dots, indices in brackets and keys in quotes.
fn word(text: &str) -> Option<(Token, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':'));
    let (mut name, mut rest) = text.split_at(end.unwrap_or(text.len()));
    if !name.contains(':') {
        return Some((Token::Word(name.to_owned()), rest));
    }
    loop {
        rest = match rest.chars().next() {
            Some('.') => step(rest.get(1..)?)?,
            Some('[') => index(rest)?,
            _ => break,
        };
        name = text.get(..text.len().checked_sub(rest.len())?)?;
    }
    Some((Token::Path(name.to_owned()), rest))
}

/// Behind a dot: a name, or a key in quotes. Returns what follows.
fn step(text: &str) -> Option<&str> {
    if text.starts_with('\'') {
        return quoted(text).map(|(_, rest)| rest);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    (!name.is_empty()).then_some(rest)
}

/// `[*]` or `[3]`. Returns what follows.
fn index(text: &str) -> Option<&str> {
    let (inner, rest) = text.strip_prefix('[')?.split_once(']')?;
    let is_index =
        inner == "*" || (!inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit()));
    is_index.then_some(rest)
}
