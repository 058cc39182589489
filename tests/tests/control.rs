//! The control socket as another user sees it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, ExitCode},
    thread,
};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use trickblock::daemon::{
    client,
    control::{ControlSocket, Limits, Peer, serve},
    protocol::{Request, Response, Verb},
};
use trickblock_tests::harness::{self, Need, Test};

const NOBODY: u32 = 65_534;
const SOCKET: &str = "TRICKBLOCK_TEST_SOCKET";

async fn echo(request: Request, peer: Peer) -> Response {
    Response::data(&json!({ "verb": request.verb.to_string(), "uid": peer.uid }))
}

/// Started again by the test as another user, with the socket in its environment, this program is the
/// caller.
fn main() -> ExitCode {
    match std::env::var_os(SOCKET) {
        Some(socket) => call_all(Path::new(&socket)),
        None => harness::main(&[Test {
            name: "other_users_read_through_the_group_and_change_nothing",
            needs: &[Need::Root],
            run: other_users_read_through_the_group_and_change_nothing,
        }]),
    }
}

fn other_users_read_through_the_group_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("caller");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let socket = dir.path().join("control.sock");
    let (stop, server) = daemon(&socket);
    // The group `trickblock` may not exist here; whichever group the socket has stands for it.
    let group = std::os::unix::fs::MetadataExt::gid(&fs::metadata(&socket).unwrap());

    let member = calls(&program, &socket, group);
    let stranger = calls(&program, &socket, NOBODY);
    let root = client::call(&socket, &Request::new(Verb::Off, Value::Null)).unwrap();

    drop(stop);
    server.join().unwrap();
    let root: Value = serde_json::from_str(root.get()).unwrap();
    assert_eq!(root, json!({ "verb": "off", "uid": 0 }));
    for verb in ["status", "list", "why"] {
        let expected = json!({ "verb": verb, "uid": NOBODY });
        assert!(member.contains(&format!("{verb}: {expected}")), "{member}");
    }
    for verb in ["off", "on", "reload"] {
        let expected = format!(
            "{verb}: `{verb}` changes the filter, and user id {NOBODY} may only read: run the command as root"
        );
        assert!(member.contains(&expected), "{member}");
    }
    assert_eq!(
        stranger
            .matches("permission denied: run this as root")
            .count(),
        6,
        "{stranger}"
    );
}

/// Calls every verb and prints what came of it.
fn call_all(socket: &Path) -> ExitCode {
    for verb in [
        Verb::Status,
        Verb::List,
        Verb::Why,
        Verb::Off,
        Verb::On,
        Verb::Reload,
    ] {
        match client::call(socket, &Request::new(verb, Value::Null)) {
            Ok(data) => println!("{verb}: {data}"),
            Err(error) => println!("{verb}: {error}"),
        }
    }
    ExitCode::SUCCESS
}

/// The output of all verbs called as the user nobody in `group`.
fn calls(program: &Path, socket: &Path, group: u32) -> String {
    let output = Command::new(program)
        .env(SOCKET, socket)
        .current_dir("/")
        .gid(group)
        .uid(NOBODY)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A daemon that answers until its sender is dropped.
fn daemon(socket: &Path) -> (oneshot::Sender<()>, thread::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel();
    let (ready, bound) = std::sync::mpsc::channel();
    let socket = socket.to_owned();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = ControlSocket::bind(&socket).unwrap();
            ready.send(()).unwrap();
            tokio::select! {
                result = serve(&listener, Limits::default(), echo) => panic!("{result:?}"),
                _ = stopped => {}
            }
        });
    });
    bound.recv().unwrap();
    (stop, server)
}
