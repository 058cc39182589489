//! Real feed files and directories through the file source.

use std::{env, fs, path::Path};

use trickblock::feed::source::FileSource;

/// Directories of the corpus that a user would point `path` at.
const LISTS: [&str; 6] = [
    "feodo-csv",
    "trickbot-mcconf",
    "firehol",
    "plain-ip",
    "spamhaus",
    "misp",
];

#[test]
fn corpus_directories_are_read_whole() {
    let Some(corpus) = env::var_os("TRICKBLOCK_CORPUS") else {
        eprintln!("skipped: TRICKBLOCK_CORPUS names no directory");
        return;
    };
    // Cargo runs tests in their package's directory, one below the workspace's.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join(corpus);
    for list in LISTS {
        let directory = root.join(list);
        let body = FileSource::new(directory.clone()).read().unwrap();
        let (files, bytes) = measure(&directory);
        assert_eq!((body.parts.len(), body.len()), (files, bytes), "{list}");
        assert!(
            body.parts
                .is_sorted_by(|a, b| Path::new(&a.name) < Path::new(&b.name)),
            "{list}"
        );
    }
}

fn measure(directory: &Path) -> (usize, usize) {
    let mut sum = (0, 0);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let (files, bytes) = match path.is_dir() {
            true => measure(&path),
            false => (1, fs::read(&path).unwrap().len()),
        };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    sum
}
