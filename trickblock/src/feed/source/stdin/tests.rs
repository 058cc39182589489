use std::{
    io::{PipeWriter, Write as _, pipe},
    process::Command,
};

use super::*;

fn piped() -> (PipeWriter, StdinSource) {
    let (reader, writer) = pipe().unwrap();
    (writer, source(reader, Caps::default()))
}

fn source(input: impl Read + Send + 'static, caps: Caps) -> StdinSource {
    StdinSource::of(Shared::reading(input, caps.decoded), caps)
}

fn text(source: &StdinSource) -> Result<String, String> {
    match source.read() {
        Ok(body) => Ok(String::from_utf8(body.parts[0].bytes.to_vec()).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

/// Waits, boundedly, until the input counts as said.
fn until(source: &StdinSource, holds: impl Fn(Option<Stamp>) -> bool) {
    for _ in 0..500 {
        if holds(source.stamp()) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("still {:?}", source.stamp());
}

#[test]
fn whole_lines_count_as_they_come_and_the_rest_at_the_end() {
    let (mut writer, source) = piped();

    writer.write_all(b"192.0.2.1\n192.0.2.").unwrap();
    assert_eq!(text(&source).unwrap(), "192.0.2.1\n");
    let first = source.stamp();
    writer.write_all(b"2\n192.0.2.33").unwrap();
    until(&source, |stamp| stamp != first);
    assert_eq!(text(&source).unwrap(), "192.0.2.1\n192.0.2.2\n");
    drop(writer);
    until(&source, |stamp| stamp.is_some_and(|stamp| stamp.ended));

    let all = "192.0.2.1\n192.0.2.2\n192.0.2.33";
    assert_eq!(text(&source).unwrap(), all);
    assert_eq!(text(&source).unwrap(), all, "it stays after its end");
}

#[test]
fn a_list_that_is_being_written_is_waited_for() {
    let (mut writer, source) = piped();
    let rows: Vec<String> = (1..=20).map(|host| format!("192.0.2.{host}\n")).collect();
    let expected = rows.concat();

    let slowly = thread::spawn(move || {
        for row in rows {
            writer.write_all(row.as_bytes()).unwrap();
            thread::sleep(QUIET / 10);
        }
        writer
    });

    assert_eq!(text(&source).unwrap(), expected);
    slowly.join().unwrap();
}

/// Who never pauses is heard all the same.
#[test]
fn later_lines_are_not_waited_for() {
    let (mut writer, source) = piped();
    writer.write_all(b"192.0.2.1\n").unwrap();
    let first = text(&source).unwrap();

    let rows = || (2..=100).map(|host| format!("192.0.2.{host}\n"));
    let steadily = thread::spawn(move || {
        for row in rows() {
            writer.write_all(row.as_bytes()).unwrap();
            thread::sleep(QUIET / 20);
        }
    });
    until(&source, |stamp| {
        stamp.is_some_and(|stamp| stamp.bytes > first.len())
    });
    let some = text(&source).unwrap();
    steadily.join().unwrap();
    until(&source, |stamp| stamp.is_some_and(|stamp| stamp.ended));

    let all: String = std::iter::once(first.clone()).chain(rows()).collect();
    assert_eq!(text(&source).unwrap(), all);
    assert!(some.len() > first.len() && some.len() < all.len(), "{some}");
}

#[test]
fn documents_count_at_their_end() {
    for (first, rest) in [("{\"a\":", "1}"), ("  [", "]"), ("<a>", "</a>")] {
        let (mut writer, source) = piped();
        writeln!(writer, "{first}").unwrap();
        let error = text(&source).unwrap_err();
        assert!(
            error.contains("standard input: it is no list of lines"),
            "{error}"
        );
        assert_eq!(source.stamp(), None);
        writer.write_all(rest.as_bytes()).unwrap();
        drop(writer);
        until(&source, |stamp| stamp.is_some());
        assert_eq!(text(&source).unwrap(), format!("{first}\n{rest}"));
    }
}

#[test]
fn a_gzip_stream_is_decoded_at_its_end() {
    let (reader, writer) = pipe().unwrap();
    let source = source(reader, Caps::default());
    let (input, mut plain) = pipe().unwrap();
    let mut gzip = Command::new("gzip").stdin(input).stdout(writer).spawn();
    plain.write_all(b"192.0.2.1\n").unwrap();
    drop(plain);
    assert!(gzip.as_mut().unwrap().wait().unwrap().success());
    drop(gzip);

    assert_eq!(text(&source).unwrap(), "192.0.2.1\n");
}

#[test]
fn silence_an_end_without_a_byte_and_too_much_are_named() {
    let (writer, source) = piped();
    let error = text(&source).unwrap_err();
    assert!(
        error.contains("nothing has come: write the list to it"),
        "{error}"
    );
    drop(writer);
    for _ in 0..500 {
        if source.shared.lock().end.is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let error = text(&source).unwrap_err();
    assert!(error.contains("it ended: write the list to it"), "{error}");
    assert_eq!(source.stamp(), None, "there is nothing to look at again");

    let caps = Caps {
        decoded: 10,
        ..Caps::default()
    };
    let source = self::source(&b"192.0.2.1\n192.0.2.2\n"[..], caps);
    let error = text(&source).unwrap_err();
    assert!(error.contains("larger than 10 bytes"), "{error}");
}

#[test]
fn a_waiting_read_is_stopped() {
    let (_writer, source) = piped();
    let source = Arc::new(source);
    let waiting = Arc::clone(&source);
    let reader = thread::spawn(move || text(&waiting));
    source.stop();
    let error = reader.join().unwrap().unwrap_err();
    assert!(error.contains("trickblock is stopping"), "{error}");
}
