//! The layer rule: inside `trickblock/src` a module uses only what stands to its left.
//!
//! It works on tokens rather than on a syntax tree. That sees through `use` groups, `super`
//! chains and paths in expressions, and needs no parser among the dependencies.

use super::{
    Finding,
    sources::Source,
    tokens::{Kind, Token, tokens},
};

/// The modules of crate trickblock, from left to right. The first two are vocabulary for all.
const LAYERS: [&str; 11] = [
    "error",
    "indicator",
    "feed",
    "policy",
    "table",
    "kernel",
    "observe",
    "verify",
    "config",
    "daemon",
    "cli",
];
const CRATE: &str = "trickblock/src/";
/// The roots of library and program see every module: they declare them and start the last.
const ROOTS: [&str; 2] = ["main", "lib"];

/// Every use of a module to the right, and every module that has no place in the order.
pub fn check(source: &Source) -> Vec<Finding> {
    let Some(path) = source
        .file
        .strip_prefix(CRATE)
        .and_then(|file| file.strip_suffix(".rs"))
    else {
        return Vec::new();
    };
    let modules: Vec<_> = path.split('/').filter(|part| *part != "mod").collect();
    let [module, ..] = modules.as_slice() else {
        return Vec::new();
    };
    if ROOTS.contains(module) {
        return Vec::new();
    }
    let finding = |line, message| Finding {
        file: source.file.clone(),
        line,
        message,
    };
    let Some(own) = rank(module) else {
        let message = format!("layer rule: module {module} has no place in {}", order());
        return vec![finding(1, message)];
    };
    let tokens = tokens(&source.text);
    let mut findings = Vec::new();
    for (target, line) in targets(&tokens, modules.len()) {
        if let Some(problem) = problem(module, own, target) {
            findings.push(finding(line, problem));
        }
    }
    findings
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == module)
}

fn order() -> String {
    LAYERS.join(" → ")
}

fn problem(module: &str, own: usize, target: &str) -> Option<String> {
    let Some(rank) = rank(target) else {
        return Some(format!(
            "layer rule: crate::{target} hides which layer it comes from, name the module itself"
        ));
    };
    (rank > own).then(|| {
        format!(
            "layer rule: {module} must not use {target}, which stands to its right in {}",
            order()
        )
    })
}

/// The names that follow `crate::`, or `super::` where that reaches the crate's root.
fn targets<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<(&'a str, usize)> {
    let mut found = Vec::new();
    let mut inline = InlineModules::default();
    let mut at = 0;
    while at < tokens.len() {
        inline.see(tokens, at);
        let (ups, after) = root_path(tokens, at);
        if ups == Some(Root::Crate)
            || matches!(ups, Some(Root::Up(n)) if n >= depth + inline.open())
        {
            found.extend(names_at(tokens, after));
        }
        // What was skipped holds no brace, so the module stack misses nothing.
        at = after.max(at + 1);
    }
    found
}

#[derive(PartialEq, Eq)]
enum Root {
    Crate,
    /// So many `super`.
    Up(usize),
}

/// The path root that begins at a token, and the index after its last `::`.
fn root_path(tokens: &[Token<'_>], at: usize) -> (Option<Root>, usize) {
    if word(tokens, at) == Some("crate") && is_path(tokens, at + 1) {
        return (Some(Root::Crate), at + 3);
    }
    let mut ups = 0;
    let mut next = at;
    while word(tokens, next) == Some("super") && is_path(tokens, next + 1) {
        ups += 1;
        next += 3;
    }
    ((ups > 0).then_some(Root::Up(ups)), next)
}

/// The first segment of each path that begins here: one, or one per member of a group.
fn names_at<'a>(tokens: &[Token<'a>], at: usize) -> Vec<(&'a str, usize)> {
    if sign(tokens, at) != Some('{') {
        return name(tokens, at).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for next in at..tokens.len() {
        match sign(tokens, next) {
            Some('{') => depth += 1,
            Some('}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(sign(tokens, next), Some('{' | ',')) {
            names.extend(name(tokens, next + 1));
        }
    }
    names
}

/// A glob of the root brings every layer in under its own name, so it is a target as well.
fn name<'a>(tokens: &[Token<'a>], at: usize) -> Option<(&'a str, usize)> {
    let token = tokens.get(at)?;
    match token.kind {
        Kind::Word("self") => None,
        Kind::Word(name) => Some((name, token.line)),
        Kind::Sign('*') => Some(("*", token.line)),
        Kind::Sign(_) => None,
    }
}

/// Which `mod name { … }` of this file are open: each asks for one more `super`.
#[derive(Default)]
struct InlineModules {
    braces: usize,
    opened_at: Vec<usize>,
}

impl InlineModules {
    fn see(&mut self, tokens: &[Token<'_>], at: usize) {
        match sign(tokens, at) {
            Some('{') => {
                let named = at.checked_sub(2).and_then(|before| word(tokens, before));
                if named == Some("mod") {
                    self.opened_at.push(self.braces);
                }
                self.braces += 1;
            }
            Some('}') => {
                self.braces = self.braces.saturating_sub(1);
                if self.opened_at.last() == Some(&self.braces) {
                    self.opened_at.pop();
                }
            }
            _ => {}
        }
    }

    fn open(&self) -> usize {
        self.opened_at.len()
    }
}

fn word<'a>(tokens: &[Token<'a>], at: usize) -> Option<&'a str> {
    match tokens.get(at)?.kind {
        Kind::Word(word) => Some(word),
        Kind::Sign(_) => None,
    }
}

fn sign(tokens: &[Token<'_>], at: usize) -> Option<char> {
    match tokens.get(at)?.kind {
        Kind::Sign(sign) => Some(sign),
        Kind::Word(_) => None,
    }
}

fn is_path(tokens: &[Token<'_>], at: usize) -> bool {
    sign(tokens, at) == Some(':') && sign(tokens, at + 1) == Some(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines with a finding.
    fn lines(file: &str, text: &str) -> Vec<usize> {
        let source = Source {
            file: format!("trickblock/src/{file}"),
            text: text.to_owned(),
        };
        check(&source)
            .into_iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn what_stands_to_the_left_may_be_used() {
        let text =
            "use crate::{indicator::Indicator, feed::{self, format}};\nuse crate::error::Error;";
        assert!(lines("policy/merge.rs", text).is_empty());
        assert!(
            lines(
                "cli/status.rs",
                "use crate::{config, daemon::control, kernel};"
            )
            .is_empty()
        );
    }

    #[test]
    fn what_stands_to_the_right_is_reported_with_its_line() {
        assert_eq!(lines("feed/cache.rs", "\nuse crate::policy::Rule;"), [2]);
        assert_eq!(
            lines(
                "table.rs",
                "use crate::{\n    policy::A,\n    kernel::B,\n};"
            ),
            [3]
        );
        assert_eq!(
            lines("indicator.rs", "fn f() { crate::feed::parse(); }"),
            [1]
        );
        assert_eq!(
            lines("kernel/mod.rs", "pub fn f(_: &crate::config::Config) {}"),
            [1]
        );
    }

    #[test]
    fn only_the_first_segment_of_a_group_member_counts() {
        assert!(
            lines(
                "policy.rs",
                "use crate::{feed::{daemon, cli}, indicator::kernel};"
            )
            .is_empty()
        );
    }

    #[test]
    fn super_counts_only_where_it_reaches_the_root() {
        assert!(lines("feed/format/csv.rs", "use super::super::policy;").is_empty());
        assert_eq!(
            lines("feed/format/csv.rs", "use super::super::super::policy::X;"),
            [1]
        );
        assert_eq!(lines("feed.rs", "use super::kernel;"), [1]);
        assert_eq!(lines("feed/mod.rs", "use super::kernel;"), [1]);
        let nested =
            "mod tests {\n use super::kernel;\n use super::super::kernel;\n}\nuse super::cli;";
        assert_eq!(lines("feed.rs", nested), [3, 5]);
    }

    #[test]
    fn comments_and_strings_are_not_uses() {
        let text = "/// See [`crate::cli`].\nconst A: &str = \"crate::daemon\";\n// crate::cli::x";
        assert!(lines("feed.rs", text).is_empty());
    }

    #[test]
    fn visibility_is_not_a_use() {
        assert!(lines("feed.rs", "pub(crate) fn f() {}\npub(super) fn g() {}").is_empty());
    }

    #[test]
    fn names_without_a_layer_are_reported() {
        assert_eq!(lines("feed.rs", "use crate::Shortcut;"), [1]);
        assert_eq!(lines("feed.rs", "use crate::*;"), [1]);
        assert_eq!(lines("util.rs", ""), [1]);
    }

    #[test]
    fn roots_and_other_crates_are_free() {
        assert!(lines("main.rs", "use crate::cli;").is_empty());
        let text = "use crate::cli;".to_owned();
        assert!(
            check(&Source {
                file: "tests/src/lib.rs".into(),
                text
            })
            .is_empty()
        );
    }

    #[test]
    fn the_message_names_rule_and_order() {
        let source = Source {
            file: "trickblock/src/feed/cache.rs".into(),
            text: "use crate::kernel;".into(),
        };
        let finding = check(&source).remove(0).to_string();
        let start = "trickblock/src/feed/cache.rs:1: layer rule: feed must not use kernel";
        assert!(finding.starts_with(start), "{finding}");
    }
}
