use std::os::unix::{fs::symlink, net::UnixListener};

use super::*;

fn source(path: &Path) -> FileSource {
    FileSource::new(path.to_owned())
}

#[test]
fn directory_is_read_in_path_order_without_hidden_files() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("sub/deeper")).unwrap();
    for (name, text) in [
        ("b.txt", "2\n"),
        ("a.txt", "1\n"),
        ("sub/deeper/c.txt", "3\n"),
        (".hidden", "no\n"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    symlink(dir.path(), dir.path().join("loop")).unwrap();

    let body = source(dir.path()).read().unwrap();

    let parts: Vec<_> = body
        .parts
        .iter()
        .map(|part| (part.name.clone(), part.bytes.clone()))
        .collect();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let expected = [
        ("a.txt", "1\n"),
        ("b.txt", "2\n"),
        ("sub/deeper/c.txt", "3\n"),
    ];
    assert_eq!(
        parts,
        expected.map(|(name, text)| (path(name), bytes::Bytes::from(text)))
    );
    assert_eq!(body.len(), 6);
}

#[test]
fn stamp_sees_rename_over_edit_and_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list");
    fs::write(&path, "192.0.2.1\n").unwrap();
    let feed = source(&path);
    let first = feed.stamp().unwrap();
    assert_eq!(feed.stamp().unwrap(), first);

    // The replacement has the same size and the same time: only the inode differs.
    let next = dir.path().join("next");
    fs::write(&next, "192.0.2.2\n").unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    File::options()
        .write(true)
        .open(&next)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    fs::rename(&next, &path).unwrap();
    let second = feed.stamp().unwrap();
    assert_ne!(second, first);

    fs::write(&path, "192.0.2.2\n192.0.2.3\n").unwrap();
    assert_ne!(feed.stamp().unwrap(), second);

    fs::remove_file(&path).unwrap();
    let error = feed.stamp().unwrap_err();
    assert!(matches!(error.reason, Reason::Missing), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()));
}

#[test]
fn what_is_no_feed_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let socket = dir.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();

    let no_files = source(&empty).read().unwrap_err();
    let no_file = source(&socket).read().unwrap_err();

    assert!(matches!(no_files.reason, Reason::NoFiles), "{no_files}");
    assert!(matches!(no_file.reason, Reason::NotAFile), "{no_file}");
}

#[test]
fn caps_hold_for_the_directory_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(dir.path().join(name), "192.0.2.1\n".repeat(10)).unwrap();
    }
    let mut feed = source(dir.path());
    feed.caps.decoded = 250;

    let body = feed.read().unwrap();

    let names: Vec<_> = body.parts.iter().map(|part| part.name.as_str()).collect();
    let path = |name: &str| dir.path().join(name).display().to_string();
    assert_eq!(names, [path("a"), path("b")]);
    let [unread] = body.unread.as_slice() else {
        panic!("{body:?}")
    };
    assert_eq!(unread.name, path("c"));
    assert!(unread.reason.contains("250"), "{unread:?}");

    feed.caps.decoded = 50;
    let error = feed.read().unwrap_err();
    assert!(
        matches!(error.reason, Reason::Limit(LimitError::Decoded(50))),
        "nothing of it: {error}"
    );
}

#[test]
fn compressed_file_is_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
    io::Write::write_all(&mut encoder, b"192.0.2.1\n").unwrap();
    encoder.finish().unwrap();

    let body = source(&path).read().unwrap();

    assert_eq!(body.parts[0].bytes, &b"192.0.2.1\n"[..]);
}
