//! The tokens of a pattern, as strict as the grammar of STIX 2.1.

/// One token. Words are names without a colon behind them, keywords among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// `network-traffic:dst_ref.value`
    Path(String),
    Text(String),
    Number(String),
    /// `t'…'`
    Time,
    /// `b'…'`, `h'…'`
    Bytes,
    /// `=`, `!=`, `<`, …
    Operator(&'static str),
    /// `[`, `]`, `(`, `)`, `,`
    Sign(char),
}

/// Longest pattern that is read.
const MAX_PATTERN: usize = 64 << 10;
const OPERATORS: [&str; 8] = ["!=", "<>", "<=", ">=", "==", "=", "<", ">"];
/// No part of a path.
const KEYWORDS: [&str; 19] = [
    "AND",
    "OR",
    "NOT",
    "FOLLOWEDBY",
    "LIKE",
    "MATCHES",
    "ISSUPERSET",
    "ISSUBSET",
    "EXISTS",
    "LAST",
    "IN",
    "START",
    "STOP",
    "SECONDS",
    "WITHIN",
    "REPEATS",
    "TIMES",
    "true",
    "false",
];

/// All tokens of `text`; `None` if something in it is none.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    if text.len() > MAX_PATTERN {
        return None;
    }
    let mut tokens = Vec::new();
    let mut rest = without_comments(text);
    while !rest.is_empty() {
        let (token, after) = token(rest)?;
        tokens.push(token);
        rest = without_comments(after);
    }
    Some(tokens)
}

/// What stands behind blanks, `/* … */` and `// …`.
fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("//") {
            comment
                .find(['\n', '\r'])
                .map_or("", |end| comment.split_at(end).1)
        } else if let Some((_, after)) = rest
            .strip_prefix("/*")
            .and_then(|inner| inner.split_once("*/"))
        {
            after
        } else {
            return rest;
        };
        rest = after.trim_start();
    }
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
        't' | 'b' | 'h' if text.get(1..2) == Some("'") => typed(first, text.get(1..)?),
        '0'..='9' | '-' | '+' | '.' => number(text),
        _ => word(text),
    }
}

/// A text in single quotes; only `\'` and `\\` are escapes.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('\'')?;
    let mut found = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((found, inner.get(at.checked_add(1)?..)?)),
            '\\' => found.push(
                chars
                    .next()
                    .map(|(_, c)| c)
                    .filter(|c| matches!(c, '\'' | '\\'))?,
            ),
            c => found.push(c),
        }
    }
    None
}

fn typed(kind: char, text: &str) -> Option<(Token, &str)> {
    let (inner, rest) = quoted(text)?;
    let (token, right) = match kind {
        't' => (Token::Time, is_time(&inner)),
        'h' => (Token::Bytes, is_hex(&inner)),
        _ => (Token::Bytes, is_base64(&inner)),
    };
    right.then_some((token, rest))
}

/// `2024-01-01T00:00:00Z`, with or without a fraction.
fn is_time(text: &str) -> bool {
    const SHAPE: &str = "0000-00-00T00:00:00";
    let fits = |(found, wanted): (u8, u8)| match wanted {
        b'0' => found.is_ascii_digit(),
        wanted => found == wanted,
    };
    let Some((head, end)) = text.split_at_checked(SHAPE.len()) else {
        return false;
    };
    let fraction = end.strip_suffix('Z').map(|end| end.strip_prefix('.'));
    let ended = match fraction {
        Some(Some(digits)) => is_digits(digits),
        Some(None) => end == "Z",
        None => false,
    };
    ended && head.bytes().zip(SHAPE.bytes()).all(fits) && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_base64(text: &str) -> bool {
    let body = text
        .strip_suffix("==")
        .or(text.strip_suffix('='))
        .unwrap_or(text);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len().is_multiple_of(4) && body.bytes().all(known)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A whole number without zeros before it, or one with a point and digits behind it.
fn number(text: &str) -> Option<(Token, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (digits, rest) = unsigned.split_at(end.unwrap_or(unsigned.len()));
    let right = match digits.split_once('.') {
        Some((whole, fraction)) => (whole.is_empty() || is_digits(whole)) && is_digits(fraction),
        None => is_whole(digits),
    };
    let number = text.get(..text.len().checked_sub(rest.len())?)?;
    right.then(|| (Token::Number(number.to_owned()), rest))
}

fn is_whole(digits: &str) -> bool {
    is_digits(digits) && (digits == "0" || !digits.starts_with('0'))
}

/// A keyword, or an object path: a type, then names with dots, indices in brackets and keys in quotes. Blanks and
/// comments may stand between its parts, and are left out.
fn word(text: &str) -> Option<(Token, &str)> {
    let (name, rest) = name(text, true)?;
    let Some(first) = without_comments(rest).strip_prefix(':') else {
        return Some((Token::Word(name.to_owned()), rest));
    };
    let (first, mut rest) = step(without_comments(first))?;
    let mut path = format!("{name}:{first}");
    loop {
        let next = without_comments(rest);
        if let Some(after) = next.strip_prefix('.') {
            let (name, after) = step(without_comments(after))?;
            path.push('.');
            path.push_str(name);
            rest = after;
        } else if let Some(after) = next.strip_prefix('[') {
            let (number, after) = index(without_comments(after))?;
            path.extend(["[", number, "]"]);
            rest = after;
        } else {
            break;
        }
    }
    (!KEYWORDS.contains(&name)).then_some((Token::Path(path), rest))
}

/// A name at the beginning of `text`, and what follows it.
fn name(text: &str, hyphens: bool) -> Option<(&str, &str)> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || (hyphens && c == '-');
    let end = text.find(|c: char| !inside(c)).unwrap_or(text.len());
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins.then(|| text.split_at(end))
}

/// A name, or a key in its quotes, and what follows it.
fn step(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('\'') {
        let (_, rest) = quoted(text)?;
        return Some(text.split_at(text.len().checked_sub(rest.len())?));
    }
    name(text, false).filter(|(name, _)| !KEYWORDS.contains(name))
}

/// `*` or a number, and what follows the bracket behind it.
fn index(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '*')?;
    let (number, rest) = text.split_at(end);
    let rest = without_comments(rest).strip_prefix(']')?;
    (number == "*" || is_whole(number)).then_some((number, rest))
}
