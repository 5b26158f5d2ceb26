//! `serve`, as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout};

use serde_json::Value as Json;

use crate::app::process::Program;

/// A console that is served, until it is dropped.
pub struct Served {
    child: Child,
    out: BufReader<ChildStdout>,
    /// What it has printed when it began.
    said: Json,
}

impl Served {
    pub fn of(program: &Program, args: &[&str]) -> Self {
        let args = [&["serve", "--listen", "127.0.0.1:0", "--json"], args].concat();
        let mut child = program.command(&args).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        Self {
            child,
            out,
            said: serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")),
        }
    }

    fn get(&self, path: &str, header: &str) -> String {
        self.ask("GET", path, header, "")
    }

    fn ask(&self, method: &str, path: &str, header: &str, body: &str) -> String {
        let url = self.said["url"].as_str().unwrap();
        let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends a document, and returns the one that is answered.
    #[track_caller]
    pub fn post(&self, path: &str, header: &str, document: &Json) -> Json {
        let body = document.to_string();
        let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n{header}", body.len());
        let answer = self.ask("POST", path, &head, &body);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Asks until the answer has a text in it.
    pub fn until(&self, path: &str, wanted: &str) -> String {
        for _ in 0..2_000 {
            let answer = self.get(path, "");
            if answer.contains(wanted) {
                return answer;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("`{wanted}` is never in {path}: {}", self.get(path, ""));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.out.read_to_string(&mut String::new());
    }
}

#[test]
fn serve_works_on_the_store_and_shows_it() {
    let program = Program::own("serve");
    let served = Served::of(&program, &[]);
    assert_eq!(served.said["token"], Json::Null, "this machine needs none");
    program.fine(&["start", "nightly", "day=7"]);
    served.until("/api/v1/runs", "Waits for the signal");
    program.fine(&["signal", "@last", "verdict", "good"]);
    let ended = served.until("/api/v1/runs/@last", "\"state\":\"succeeded\",\"created_at\"");
    assert!(ended.contains("page 7 parsed: good"), "{ended}");
    assert!(served.get("/", "").contains("HTTP/1.1 200 OK"));
}

#[test]
fn serve_that_only_looks_leaves_the_store_to_others() {
    let program = Program::own("serve-look");
    program.fine(&["start", "nightly", "day=7"]);
    let served = Served::of(&program, &["--look"]);
    assert!(served.get("/api/v1/runs", "").contains("\"queued\""));
    program.fine(&["work", "--drain"]);
    assert!(served.get("/api/v1/runs", "").contains("\"waiting\""));
}

#[test]
fn a_token_of_the_environment_is_asked_for_and_not_printed() {
    let program = Program::own("serve-token").with("WORKFLOW_TOKEN", "s3same");
    let served = Served::of(&program, &["--look"]);
    assert_eq!(served.said["token"], Json::Null);
    assert!(served.get("/api/v1/runs", "").starts_with("HTTP/1.1 401 "));
    assert!(served.get("/api/v1/runs", "Authorization: Bearer s3same\r\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn an_address_that_is_none_or_taken_is_refused() {
    let program = Program::own("serve-address");
    assert_eq!(program.run(&["serve", "--listen", "here"]).code, Some(2));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = program.run(&["serve", "--listen", &address]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
}
