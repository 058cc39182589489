//! Rust's words and signs, without comments and literals, which is all that the rules look at.

/// A word or a sign, with its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind<'a>,
    /// From 1.
    pub line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// An identifier or a keyword.
    Word(&'a str),
    /// Any other character. `::` is two of them.
    Sign(char),
}

/// Splits Rust source. Unfinished literals and comments end with the file.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner {
        rest: text,
        line: 1,
    };
    let mut tokens = Vec::new();
    while let Some(first) = scanner.rest.chars().next() {
        let line = scanner.line;
        if scanner.skip_blank_or_literal(first) {
            continue;
        }
        let length = word_length(scanner.rest);
        let kind = match length {
            0 => Kind::Sign(first),
            length => Kind::Word(&scanner.rest[..length]),
        };
        tokens.push(Token { kind, line });
        scanner.advance(length.max(first.len_utf8()));
    }
    tokens
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
}

impl Scanner<'_> {
    /// Skips what carries no rule; false if a word or a sign begins here.
    fn skip_blank_or_literal(&mut self, first: char) -> bool {
        let rest = self.rest;
        let length = match first {
            blank if blank.is_whitespace() => blank.len_utf8(),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            '\'' => quote(rest),
            _ => prefixed_string(rest).unwrap_or_default(),
        };
        self.advance(length);
        length > 0
    }

    fn advance(&mut self, length: usize) {
        let (seen, rest) = self.rest.split_at(length);
        self.line += seen.matches('\n').count();
        self.rest = rest;
    }
}

fn word_length(rest: &str) -> usize {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    rest.find(|c| !part_of_word(c)).unwrap_or(rest.len())
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A string that begins at the quote, with its escapes.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `'a'` and `'\n'` are literals; the quote of a lifetime is skipped alone.
fn quote(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        // What follows the backslash may itself be a quote.
        Some((_, '\\')) => {
            let tail = rest.get(3..).unwrap_or_default();
            tail.find('\'').map_or(rest.len(), |end| end + 4)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`; a raw identifier `r#x` is none of them.
fn prefixed_string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c"]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix))?;
    let tail = &rest[prefix.len()..];
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    let body = &tail[hashes..];
    if !body.starts_with('"') || (hashes > 0 && !prefix.ends_with('r')) {
        return None;
    }
    let before = prefix.len() + hashes;
    if !prefix.ends_with('r') {
        return Some(before + string(body));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let close = body[1..]
        .find(&end)
        .map_or(body.len(), |at| 1 + at + end.len());
    Some(before + close)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(&str, usize)> {
        let word = |token: Token<'_>| match token.kind {
            Kind::Word(_) => true,
            Kind::Sign(_) => false,
        };
        tokens(text)
            .into_iter()
            .filter(|token| word(*token))
            .map(|token| match token.kind {
                Kind::Word(text) => (text, token.line),
                Kind::Sign(_) => unreachable!(),
            })
            .collect()
    }

    #[test]
    fn comments_are_no_words() {
        let text = "a // unsafe\nb /* x /* y\n */ z */ c";
        assert_eq!(words(text), [("a", 1), ("b", 2), ("c", 3)]);
    }

    #[test]
    fn literals_are_no_words() {
        let text = "a \"un\\\"safe\nx\" b r#\"q\" w\"# c b\"d\" '\\'' 'e' '\\u{41}' 'f \"g\" h";
        assert_eq!(
            words(text),
            [("a", 1), ("b", 2), ("c", 2), ("f", 2), ("h", 2)]
        );
    }

    #[test]
    fn words_that_look_like_prefixes_are_words() {
        assert_eq!(
            words("break r b rc c#x"),
            [
                ("break", 1),
                ("r", 1),
                ("b", 1),
                ("rc", 1),
                ("c", 1),
                ("x", 1)
            ]
        );
    }

    #[test]
    fn paths_keep_their_signs() {
        let kinds: Vec<_> = tokens("a::b").into_iter().map(|token| token.kind).collect();
        let expected = [
            Kind::Word("a"),
            Kind::Sign(':'),
            Kind::Sign(':'),
            Kind::Word("b"),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn unfinished_text_ends() {
        for text in ["\"abc", "/* abc", "r#\"abc", "'", "'\\", "b\"\\"] {
            assert_eq!(words(text).len(), 0, "{text}");
        }
    }
}
