//! The documentation of the keys.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::super::*;

/// The reference must not drift from the code: its example is parsed, and it names each key.
#[test]
fn documented_example_is_valid_and_complete() {
    let text = include_str!("../../../../docs/config.md");
    let example = text
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    for list in ["allow.txt", "homes.txt", "clouds.json", "sinkholes.txt"] {
        fs::write(dir.path().join(list), "").unwrap();
    }
    let key =
        "untrusted comment: a key\nRWTIIaStYvVuzIjMbTrSfQiUr0iTPnUfccw6VmGslfr+eC4FkMFY56bE\n";
    fs::write(dir.path().join("own.pub"), key).unwrap();
    for secret in ["feodo.headers", "proxy.auth"] {
        let secret = dir.path().join(secret);
        fs::write(&secret, "Auth-Key: x\n").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    }

    let config = Config::parse(example, &dir.path().join("trickblock.toml")).unwrap();

    assert_eq!((config.interfaces.len(), config.feeds.len()), (2, 5));
    let known = [
        read::PATHS,
        read::NETWORK,
        read::GUARD,
        read::POLICY,
        read::FILTER,
        read::TABLE,
        read::METRICS,
        read::INTERFACE,
        feed::KEYS,
        csv::KEYS,
    ];
    for key in known.concat() {
        assert!(example.contains(key), "the example lacks `{key}`");
        assert!(
            text.contains(&format!("| `{key}` |")),
            "the tables lack `{key}`"
        );
    }
}
