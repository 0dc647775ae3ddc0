//! Runs the program with real files and sockets.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

mod doctor;
mod listen;
mod replay;
mod secrets;
mod send;
mod sign;
mod texts;
mod verify;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Secret that no output may contain.
pub(crate) const SECRET: &str = "recognisable-7f3c-secret";

/// Event from Scrupp's documentation.
pub(crate) const EVENT: &str =
    r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

/// Output and exit code of the program.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// Returns a command with the secret in its environment.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrupp-verify"));
    command.args(arguments).env("SCRUPP_WEBHOOK_SECRET", SECRET);
    command.env_remove("SCRUPP_WEBHOOK_SECRET_PREVIOUS");
    command
}

/// Runs a command with this standard input.
pub(crate) fn output_of(command: &mut Command, stdin: &[u8]) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // Fails if the program exits before it reads standard input.
    let _ = child.stdin.take().expect("stdin").write_all(stdin);
    end(child)
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    output_of(&mut program(arguments), b"")
}

/// Waits until the program exits. Asserts that the output does not contain the secret.
pub(crate) fn end(child: Child) -> Ran {
    let output = child.wait_with_output().expect("the program ends");
    let ran = Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    };
    for written in [&ran.stdout, &ran.stderr] {
        assert!(!written.contains(SECRET), "{ran:#?}");
        assert!(!written.contains("panicked"), "{ran:#?}");
    }
    ran
}

/// Returns the signature of a message, made with this key.
pub(crate) fn signature(key: &[u8], message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(message);
    let digits = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    format!("sha256={digits}")
}

/// Returns the path of a new file for one test.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    fs::write(&path, content).expect("a file");
    path
}

/// A process that runs `listen` on a free port.
pub(crate) struct Listening {
    child: Option<Child>,
    stdout: BufReader<std::process::ChildStdout>,
    /// Address of the listener, such as `127.0.0.1:40000`.
    pub(crate) address: String,
}

impl Listening {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = program(&["listen", "--bind", "127.0.0.1:0", "--format", "json"]);
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix(r#"{"ready":"http://"#);
        let address = address.and_then(|line| line.strip_suffix(r#""}"#));
        let address = address.expect("the address").to_owned();
        Self {
            child: Some(child),
            stdout,
            address,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/webhooks/scrupp", self.address)
    }

    pub(crate) fn pid(&self) -> String {
        self.child.as_ref().unwrap().id().to_string()
    }

    /// Sends bytes, and returns the response.
    pub(crate) fn exchange(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(25)))
            .expect("a timeout");
        // Fails if the server rejects early, and closes the connection.
        let _ = stream.write_all(request);
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        String::from_utf8_lossy(&response).into_owned()
    }

    /// Waits until the program exits. Returns the output after the first line.
    pub(crate) fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("UTF-8");
        Ran {
            stdout,
            ..end(self.child.take().unwrap())
        }
    }
}

impl Drop for Listening {
    /// Kills the program if the test failed.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
        }
    }
}

/// Starts a receiver that sends these responses, one per request. Returns its URL and a thread that returns
/// the requests.
pub(crate) fn receiver(responses: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let requests = thread::spawn(move || {
        responses
            .iter()
            .map(|response| respond(&listener, response))
            .collect()
    });
    (url, requests)
}

/// Reads one request, and responds.
fn respond(listener: &TcpListener, response: &str) -> String {
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut request = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).expect("bytes");
        assert_ne!(count, 0, "the request is incomplete: {request:?}");
        request.extend_from_slice(&bytes[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let is_complete = match length {
            Some(length) => body.len() >= length.parse::<usize>().expect("a length"),
            None => !head.contains("chunked") || body.ends_with("0\r\n\r\n"),
        };
        if is_complete {
            let response = format!("HTTP/1.1 {response}\r\nConnection: close\r\n\r\n");
            stream.write_all(response.as_bytes()).expect("written");
            return text;
        }
    }
}
