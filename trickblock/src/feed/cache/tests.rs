use super::*;
use crate::feed::source::Part;

fn stored(texts: &[&'static str]) -> Stored {
    let part = |(number, text): (usize, &&'static str)| Part {
        name: format!("part {number}"),
        bytes: Bytes::from_static(text.as_bytes()),
    };
    Stored {
        body: Body::from(texts.iter().enumerate().map(part).collect::<Vec<_>>()),
        validators: Validators {
            etag: Some("\"v1\"".to_owned()),
            last_modified: None,
        },
        fetched_at: "2021-03-19T10:00:00Z".parse().unwrap(),
        format: Some("plain".to_owned()),
        origin: "https://feeds.example/list".to_owned(),
    }
}

#[test]
fn copy_comes_back_as_it_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    assert_eq!(cache.load("feodo").unwrap(), None);

    for body in [
        stored(&["192.0.2.1\n", "", "192.0.2.2"]),
        stored(&["\n"]),
        stored(&[]),
    ] {
        cache.store("feodo", &body).unwrap();
        assert_eq!(cache.load("feodo").unwrap(), Some(body));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    cache
        .store("feodo", &stored(&["192.0.2.1\n192.0.2.2\n"]))
        .unwrap();
    let path = cache.file("feodo");
    let good = fs::read(&path).unwrap();

    for position in 0..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 0x04;
        fs::write(&path, &bad).unwrap();
        let error = cache.load("feodo").unwrap_err();
        assert!(
            matches!(error, CacheError::Corrupt { .. }),
            "byte {position}: {error}"
        );
    }
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        let error = cache.load("feodo").unwrap_err();
        assert!(
            matches!(error, CacheError::Corrupt { .. }),
            "length {length}: {error}"
        );
        assert!(error.to_string().contains("feodo"), "{error}");
    }
}

#[test]
fn another_version_is_said_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    cache.store("feodo", &stored(&["192.0.2.1\n"])).unwrap();
    let next = "{\"version\":3,\"all\":\"different\"}\n";
    fs::write(
        cache.file("feodo"),
        format!("{}\n{next}", hex(&Sha256::digest(next))),
    )
    .unwrap();

    let error = cache.load("feodo").unwrap_err();

    assert!(matches!(error, CacheError::Version { .. }), "{error}");
}

#[test]
fn names_stay_below_the_root_and_apart() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    let long = "x".repeat(300);
    let names = [
        "../../etc/passwd",
        "..",
        ".",
        "",
        "/abs",
        "a/b",
        "a%2Fb",
        "a.b",
        "A",
        "é",
        "nul\0",
        &long,
    ];

    for (number, name) in names.iter().enumerate() {
        let mut copy = stored(&["192.0.2.1\n"]);
        copy.origin = number.to_string();
        cache.store(name, &copy).unwrap();
    }

    for (number, name) in names.iter().enumerate() {
        assert_eq!(
            cache.load(name).unwrap().unwrap().origin,
            number.to_string(),
            "{name:?}"
        );
    }
    let directories = fs::read_dir(dir.path().join("feeds")).unwrap().count();
    assert_eq!(directories, names.len());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn failed_store_keeps_the_old_copy_and_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    let old = stored(&["192.0.2.1\n"]);
    cache.store("feodo", &old).unwrap();
    // A directory in the way of the temporary file stops root as well, unlike a mode.
    fs::create_dir(dir.path().join("feeds/feodo/last-good.new")).unwrap();

    let error = cache
        .store("feodo", &stored(&["198.51.100.1\n"]))
        .unwrap_err();

    assert!(
        matches!(error, CacheError::Io { op: "write", .. }),
        "{error}"
    );
    assert!(error.to_string().contains("last-good.new"), "{error}");
    assert_eq!(cache.load("feodo").unwrap(), Some(old));
}

#[test]
fn leftover_of_a_crashed_store_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    fs::create_dir_all(dir.path().join("feeds/feodo")).unwrap();
    fs::write(
        dir.path().join("feeds/feodo/last-good.new"),
        "half a wri".repeat(1_000),
    )
    .unwrap();
    assert_eq!(cache.load("feodo").unwrap(), None);

    cache.store("feodo", &stored(&["192.0.2.1\n"])).unwrap();

    assert_eq!(cache.load("feodo").unwrap(), Some(stored(&["192.0.2.1\n"])));
}

#[test]
fn confirmation_makes_only_its_own_copy_younger() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    let at = "2021-03-19T12:00:00Z".parse().unwrap();
    let mut copy = stored(&["192.0.2.1\n"]);
    cache.store("feodo", &copy).unwrap();

    cache.confirm("feodo", at).unwrap();
    assert_eq!(cache.load("feodo").unwrap().unwrap().fetched_at, at);

    copy.fetched_at = "2021-03-19T11:00:00Z".parse().unwrap();
    cache.store("feodo", &copy).unwrap();
    assert_eq!(cache.load("feodo").unwrap(), Some(copy));

    fs::write(dir.path().join("feeds/feodo/confirmed"), "garbage").unwrap();
    assert!(cache.load("feodo").unwrap().is_some());
    assert!(cache.confirm("absent", at).is_err());
}

#[test]
fn reader_never_sees_half_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    let large: &'static str = Box::leak("192.0.2.1\n".repeat(50_000).into_boxed_str());
    cache.store("feodo", &stored(&[large])).unwrap();

    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..40 {
                let texts: &[&str] = if round % 2 == 0 {
                    &[large]
                } else {
                    &["192.0.2.2\n"]
                };
                cache.store("feodo", &stored(texts)).unwrap();
            }
        });
        for _ in 0..10_000 {
            if writer.is_finished() {
                break;
            }
            let length = cache.load("feodo").unwrap().unwrap().body.len();
            assert!([large.len(), 10].contains(&length), "{length}");
        }
        writer.join().unwrap();
    });
}

#[test]
fn copies_follow_names_that_are_swapped() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    cache.store("a", &stored(&["192.0.2.1\n"])).unwrap();
    cache.store("b", &stored(&["192.0.2.2\n"])).unwrap();
    cache.store("old", &stored(&["192.0.2.3\n"])).unwrap();
    let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
    let renamed = [
        pair("a", "b"),
        pair("b", "a"),
        pair("none", "x"),
        pair("old", "new"),
    ];
    cache.rename(&renamed).unwrap();
    let held = |name: &str| {
        let copy = cache.load(name).unwrap();
        copy.map(|copy| String::from_utf8(copy.body.parts[0].bytes.to_vec()).unwrap())
    };
    assert_eq!(held("a").as_deref(), Some("192.0.2.2\n"));
    assert_eq!(held("b").as_deref(), Some("192.0.2.1\n"));
    assert_eq!(held("new").as_deref(), Some("192.0.2.3\n"));
    assert_eq!((held("old"), held("x")), (None, None));
}

#[test]
fn the_body_that_waits_becomes_the_last_good_copy() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(dir.path());
    let (first, second) = (stored(&["192.0.2.1\n"]), stored(&["192.0.2.2\n"]));
    cache.store("feodo", &first).unwrap();
    cache.keep_waiting("feodo", &second).unwrap();
    let promoted = |stored: &Stored| {
        let format = Some("plain".to_owned());
        cache
            .promote("feodo", &stored.body.digest(), (format, &[]))
            .unwrap()
    };
    assert!(!promoted(&first), "another one waits");
    assert!(promoted(&second));
    let copy = cache.load("feodo").unwrap().unwrap();
    assert_eq!(
        (copy.body, copy.format.as_deref()),
        (second.body.clone(), Some("plain"))
    );
    assert!(!promoted(&second), "nothing waits any more");
    let versions = cache.history("feodo");
    assert_eq!(versions.len(), 1);
    // The same body again is no version of its own.
    cache.store("feodo", &second).unwrap();
    assert_eq!(cache.history("feodo"), versions);
}
