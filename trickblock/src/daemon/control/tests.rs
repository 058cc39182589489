use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net},
    path::{Path, PathBuf},
    thread,
};

use serde_json::{Value, json};

use super::*;
use crate::daemon::{
    client::{self, ClientError},
    protocol::Verb,
};

/// A daemon that answers with what it was asked; it lives as long as the value.
struct Echo {
    socket: PathBuf,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Echo {
    fn start(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("run/control.sock");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, bound) = std::sync::mpsc::channel();
        let path = socket.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = ControlSocket::bind(&path).unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    result = serve(&listener, limits, echo) => panic!("ended by itself: {result:?}"),
                    _ = stopped => {}
                }
            });
        });
        bound.recv().unwrap();
        Self {
            socket,
            stop: Some(stop),
            thread: Some(thread),
            _dir: dir,
        }
    }

    fn connect(&self) -> Conversation {
        let stream = net::UnixStream::connect(&self.socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Conversation {
            reader: BufReader::new(stream.try_clone().unwrap()),
            writer: stream,
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

async fn echo(request: Request, peer: Peer) -> Response {
    Response::data(
        &json!({ "verb": request.verb.to_string(), "args": request.args, "uid": peer.uid }),
    )
}

struct Conversation {
    reader: BufReader<net::UnixStream>,
    writer: net::UnixStream,
}

impl Conversation {
    fn say(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
    }

    /// `None` at the end of the connection.
    fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    fn code(&mut self) -> String {
        self.hear().unwrap()["error"]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid()
}

#[test]
fn client_gets_what_the_handler_said() {
    let daemon = Echo::start(Limits::default());

    let data = client::call(
        &daemon.socket,
        &Request::new(Verb::Why, json!({ "ip": "192.0.2.1" })),
    )
    .unwrap();

    let data: Value = serde_json::from_str(data.get()).unwrap();
    assert_eq!(
        data,
        json!({ "verb": "why", "args": { "ip": "192.0.2.1" }, "uid": own_uid() })
    );
    let mode = std::fs::metadata(&daemon.socket)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn bad_lines_get_an_error_each_and_lose_nothing() {
    let limits = Limits {
        line: 200,
        ..Limits::default()
    };
    let daemon = Echo::start(limits);
    let mut talk = daemon.connect();

    talk.say(b"garbage\n{\"v\":9,\"verb\":\"status\"}\n\n\xff\xff\n{\"v\":1,\"verb\":\"nope\"}\n");
    assert_eq!(talk.code(), "bad_request");
    assert_eq!(talk.code(), "version");
    assert_eq!(talk.code(), "bad_request");
    assert_eq!(talk.code(), "bad_request");

    talk.say(&[b'x'; 201]);
    talk.say(b"\n{\"v\":1,\"verb\":\"sta");
    assert_eq!(talk.code(), "bad_request");
    talk.say(b"tus\"}\n{\"v\":1,\"verb\":\"list\"}");
    talk.writer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(talk.hear().unwrap()["data"]["verb"], "status");
    assert_eq!(talk.hear().unwrap()["data"]["verb"], "list");
    assert_eq!(talk.hear(), None);
}

#[test]
fn endless_line_ends_its_connection_only() {
    let daemon = Echo::start(Limits {
        line: 100,
        ..Limits::default()
    });
    let mut talk = daemon.connect();

    let written = (0..1_000).all(|_| talk.writer.write_all(&[b'x'; 1_000]).is_ok());

    assert!(!written);
    assert!(client::call(&daemon.socket, &Request::new(Verb::Status, Value::Null)).is_ok());
}

#[test]
fn only_root_may_change() {
    let peer = |uid| Peer {
        uid,
        gid: 0,
        pid: None,
    };
    for verb in [
        Verb::Status,
        Verb::List,
        Verb::Why,
        Verb::Off,
        Verb::On,
        Verb::Reload,
    ] {
        let request = Request::new(verb, Value::Null);
        assert!(authorise(&request, peer(0)).is_ok());
        match authorise(&request, peer(1000)) {
            Ok(()) => assert!(!verb.changes()),
            Err(refusal) => {
                assert!(verb.changes());
                assert_eq!(refusal.code, Code::Denied);
                assert!(
                    refusal.message.contains("1000") && refusal.message.contains(&verb.to_string()),
                    "{refusal}"
                );
            }
        }
    }
}

#[test]
fn idle_connections_are_dropped_and_busy_ones_are_not() {
    let limits = Limits {
        idle: Duration::from_millis(300),
        ..Limits::default()
    };
    let daemon = Echo::start(limits);
    let (mut idle, mut busy) = (daemon.connect(), daemon.connect());

    for _ in 0..5 {
        thread::sleep(Duration::from_millis(100));
        busy.say(b"{\"v\":1,\"verb\":\"status\"}\n");
        assert_eq!(busy.hear().unwrap()["ok"], true);
    }

    assert_eq!(idle.hear(), None);
}

#[test]
fn too_many_connections_are_turned_away_until_one_ends() {
    let daemon = Echo::start(Limits {
        connections: 3,
        reserved: 0,
        ..Limits::default()
    });
    let mut held: Vec<_> = (0..3).map(|_| daemon.connect()).collect();
    for talk in &mut held {
        talk.say(b"{\"v\":1,\"verb\":\"status\"}\n");
        assert_eq!(talk.hear().unwrap()["ok"], true);
    }

    let error = client::call(&daemon.socket, &Request::new(Verb::Status, Value::Null)).unwrap_err();
    assert!(
        error.to_string().contains("too many connections"),
        "{error}"
    );

    held.pop();
    let again = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(10));
        client::call(&daemon.socket, &Request::new(Verb::Status, Value::Null)).is_ok()
    });
    assert!(again);
}

#[test]
fn second_daemon_is_refused_by_pid_and_the_first_stays() {
    let daemon = Echo::start(Limits::default());

    let error = bind(&daemon.socket).unwrap_err();

    let expected = format!("another trickblock is running, pid {}", std::process::id());
    assert!(error.to_string().contains(&expected), "{error}");
    assert!(client::call(&daemon.socket, &Request::new(Verb::Status, Value::Null)).is_ok());
}

#[test]
fn leftover_socket_is_replaced_and_removed_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    drop(net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());

    drop(bind(&path).unwrap());

    assert!(!path.exists());
}

#[test]
fn foreign_listener_and_plain_file_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (foreign, file) = (dir.path().join("foreign"), dir.path().join("file"));
    let _listener = net::UnixListener::bind(&foreign).unwrap();
    std::fs::write(&file, "precious").unwrap();

    assert!(matches!(bind(&foreign), Err(BindError::Running { .. })));
    assert!(matches!(bind(&file), Err(BindError::NotASocket { .. })));

    assert!(net::UnixStream::connect(&foreign).is_ok());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

fn bind(path: &Path) -> Result<ControlSocket, BindError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    ControlSocket::bind(path)
}

#[test]
fn client_tells_no_daemon_from_no_permission_and_nonsense() {
    let dir = tempfile::tempdir().unwrap();
    let request = Request::new(Verb::Status, Value::Null);
    let missing = client::call(&dir.path().join("none"), &request).unwrap_err();
    let dead = dir.path().join("dead");
    drop(net::UnixListener::bind(&dead).unwrap());
    let refused = client::call(&dead, &request).unwrap_err();
    let silent = dir.path().join("silent");
    let _listener = net::UnixListener::bind(&silent).unwrap();
    let timeout = client::call_within(&silent, &request, Duration::from_millis(100)).unwrap_err();

    assert!(matches!(missing, ClientError::NoDaemon { .. }), "{missing}");
    assert!(matches!(refused, ClientError::NoDaemon { .. }), "{refused}");
    assert!(refused.to_string().contains("trickblock run"), "{refused}");
    assert!(matches!(timeout, ClientError::Timeout { .. }), "{timeout}");
}

#[test]
fn client_refuses_what_no_daemon_would_say() {
    let answers = [
        "nonsense\n",
        "{\"v\":2,\"ok\":true,\"data\":1}\n",
        "{\"v\":1,\"ok\":false}\n",
        "{\"v\":1,\"ok\":tr",
    ];
    for answer in answers {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = net::UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            BufReader::new(&stream)
                .read_line(&mut String::new())
                .unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });

        let error = client::call(&path, &Request::new(Verb::Status, Value::Null)).unwrap_err();

        assert!(
            matches!(
                error,
                ClientError::Garbled { .. } | ClientError::Broken { .. }
            ),
            "{answer}: {error}"
        );
        server.join().unwrap();
    }
}
