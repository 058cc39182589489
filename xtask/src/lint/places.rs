//! What is allowed only in certain places: `unsafe`, aya, long files, paths of one machine.

use super::{
    Finding,
    sources::Source,
    tokens::{Kind, tokens},
};

/// Unsafe code lives where the kernel is spoken to, and in tests.
const UNSAFE: [&str; 4] = [
    "trickblock-ebpf/",
    "trickblock/src/kernel/",
    "trickblock/src/feed/sandbox/syscalls.rs",
    "tests/",
];
/// One module of the product speaks aya, so that its versions and traps concern one module; the
/// benchmark loads programs of its own.
const AYA: &str = "trickblock/src/kernel/";
const AYA_BENCH: &str = "tests/src/bench/";
const AYA_CRATES: [&str; 3] = ["aya", "aya_log", "aya_obj"];
/// A file that outgrows this holds more than one subject.
const LONGEST: usize = 400;
/// Tables of cases read better whole.
const LONGEST_TEST: usize = 600;
/// Where people's and build machines' checkouts live; split, or this file would break the rule.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "work/"),
];

/// Everything in this file that stands where it must not.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = machine_paths(source);
    if source.is_rust() {
        findings.extend(words(source));
        findings.extend(length(source));
    }
    findings
}

fn words(source: &Source) -> Vec<Finding> {
    let file = source.file.as_str();
    let tests_unsafe = file.ends_with("build.rs") || file.contains("/tests/");
    let may_unsafe = tests_unsafe || UNSAFE.iter().any(|place| file.starts_with(place));
    let may_aya = file.starts_with(AYA) || file.starts_with(AYA_BENCH);
    let mut findings = Vec::new();
    for token in tokens(&source.text) {
        let message = match token.kind {
            Kind::Word("unsafe") if !may_unsafe => {
                format!(
                    "unsafe rule: unsafe code belongs into {}",
                    UNSAFE.join(", ")
                )
            }
            Kind::Word(word) if !may_aya && AYA_CRATES.contains(&word) => {
                format!("aya rule: only {AYA} uses {word}, call that module instead")
            }
            _ => continue,
        };
        findings.push(Finding {
            file: file.to_owned(),
            line: token.line,
            message,
        });
    }
    findings
}

fn length(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    let is_test = source.file.starts_with("tests/") || source.file.ends_with("tests.rs");
    let longest = if is_test { LONGEST_TEST } else { LONGEST };
    (lines > longest).then(|| Finding {
        file: source.file.clone(),
        line: lines,
        message: format!("length rule: {lines} lines, split it by subject below {longest}"),
    })
}

/// A path of one machine in a published file is noise at best and a leak at worst.
fn machine_paths(source: &Source) -> Vec<Finding> {
    let numbered = source.text.lines().zip(1..);
    let guilty = numbered.filter_map(|(text, line)| Some((line, machine_path(text)?)));
    guilty
        .map(|(line, path)| Finding {
            file: source.file.clone(),
            line,
            message: format!("path rule: {path} is a path of one machine, use a relative one"),
        })
        .collect()
}

fn machine_path(text: &str) -> Option<&'static str> {
    MACHINE_PATHS.into_iter().find(|path| {
        let begins = |at: usize| {
            let before = text[..at].chars().next_back();
            // `docs/work/x` or `$HOME/root/` are other paths that only contain the name.
            before.is_none_or(|c| !c.is_alphanumeric() && !"._-/}~".contains(c))
        };
        text.match_indices(path).any(|(at, _)| begins(at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(file: &str, text: &str) -> Vec<(usize, String)> {
        let source = Source {
            file: file.to_owned(),
            text: text.to_owned(),
        };
        let rule = |message: String| message.split(':').next().unwrap().to_owned();
        check(&source)
            .into_iter()
            .map(|found| (found.line, rule(found.message)))
            .collect()
    }

    fn broken(line: usize, rule: &str) -> Vec<(usize, String)> {
        vec![(line, rule.to_owned())]
    }

    #[test]
    fn unsafe_is_reported_outside_its_places() {
        let text = "\nfn f() { unsafe { g() } }";
        for file in [
            "trickblock/src/feed/cache.rs",
            "trickblock-common/src/lib.rs",
            "xtask/src/a.rs",
        ] {
            assert_eq!(findings(file, text), broken(2, "unsafe rule"), "{file}");
        }
        for file in [
            "trickblock-ebpf/src/main.rs",
            "trickblock/src/kernel/pins.rs",
            "trickblock/build.rs",
            "tests/src/netns.rs",
        ] {
            assert!(findings(file, text).is_empty());
        }
    }

    #[test]
    fn aya_is_reported_outside_the_kernel_module() {
        let text = "use aya::Ebpf;";
        assert_eq!(
            findings("trickblock/src/daemon/run.rs", text),
            broken(1, "aya rule")
        );
        assert_eq!(findings("tests/src/kernel.rs", text), broken(1, "aya rule"));
        assert!(findings("trickblock/src/kernel/load.rs", text).is_empty());
        assert!(findings("tests/src/bench/programs.rs", text).is_empty());
        assert!(findings("trickblock/build.rs", "use aya_build::Package;").is_empty());
        assert!(findings("trickblock/src/cli/a.rs", "// aya\nlet a = \"aya\";").is_empty());
    }

    #[test]
    fn long_files_are_reported() {
        assert_eq!(
            findings("a/src/x.rs", &"\n".repeat(401)),
            broken(401, "length rule")
        );
        assert!(findings("a/src/x.rs", &"\n".repeat(400)).is_empty());
        assert!(findings("docs/feeds.md", &"\n".repeat(401)).is_empty());
        assert!(findings("tests/tests/x.rs", &"\n".repeat(600)).is_empty());
        assert_eq!(
            findings("tests/tests/x.rs", &"\n".repeat(601)),
            broken(601, "length rule")
        );
    }

    #[test]
    fn machine_paths_are_reported_in_any_file() {
        for path in MACHINE_PATHS {
            let text = format!("a\nsee `{path}x`");
            assert_eq!(
                findings("docs/a.md", &text),
                broken(2, "path rule"),
                "{path}"
            );
        }
        for path in MACHINE_PATHS {
            assert_eq!(findings("docs/a.md", &format!("docs{path}x")), [], "{path}");
        }
    }
}
