//! Recorded deliveries, as NDJSON with one delivery per line, or as a raw HTTP request.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::output::Error;

/// Received delivery, genuine or not.
#[derive(Default)]
pub(crate) struct Recorded {
    /// Time of receipt, as RFC 3339 in UTC.
    pub(crate) received_at: String,
    pub(crate) method: String,
    pub(crate) target: String,
    /// Headers in the received order, except that values of the same name are adjacent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// `verified`, or the reason for the rejection.
    pub(crate) verdict: String,
}

impl Recorded {
    fn to_json(&self) -> Value {
        json!({
            "received_at": self.received_at,
            "method": self.method,
            "target": self.target,
            "headers": self.headers,
            "body_base64": BASE64_STANDARD.encode(&self.body),
            "verdict": self.verdict,
        })
    }

    /// Parses a line. Only the headers and the body are required.
    fn from_line(line: &[u8]) -> Result<Self, String> {
        let line: Value = serde_json::from_slice(line).map_err(|why| why.to_string())?;
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        let owned = |name: &str| text(name).unwrap_or_default().to_owned();
        let pair = |pair: &Value| match pair.as_array()?.as_slice() {
            [name, value] => Some((name.as_str()?.to_owned(), value.as_str()?.to_owned())),
            _ => None,
        };
        let headers = line.get("headers").and_then(Value::as_array);
        let headers = headers.and_then(|pairs| pairs.iter().map(pair).collect());
        let body = text("body_base64").and_then(|text| BASE64_STANDARD.decode(text).ok());
        Ok(Self {
            received_at: owned("received_at"),
            method: text("method").unwrap_or("POST").to_owned(),
            target: owned("target"),
            headers: headers.ok_or("headers: not a list of pairs")?,
            body: body.ok_or("body_base64: not Base64")?,
            verdict: owned("verdict"),
        })
    }

    /// Parses a raw HTTP/1.1 request. The body is the rest of the file, decoded if it is chunked.
    fn from_request(request: &[u8]) -> Result<Self, String> {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Request::new(&mut headers);
        let body = match head.parse(request).map_err(|why| why.to_string())? {
            httparse::Status::Complete(length) => request.get(length..).unwrap_or_default(),
            httparse::Status::Partial => return Err("the head is incomplete".to_owned()),
        };
        let is_chunked = head.headers.iter().any(|header| {
            header.name.eq_ignore_ascii_case("transfer-encoding")
                && header.value.eq_ignore_ascii_case(b"chunked")
        });
        let body = if is_chunked {
            unchunk(body).ok_or("the chunked body is malformed or incomplete")?
        } else {
            body.to_owned()
        };
        let header = |header: &httparse::Header<'_>| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_owned(), value)
        };
        Ok(Self {
            method: head.method.unwrap_or_default().to_owned(),
            target: head.path.unwrap_or_default().to_owned(),
            headers: head.headers.iter().map(header).collect(),
            body,
            ..Self::default()
        })
    }
}

/// Parses the deliveries of a file.
pub(crate) fn parse(file: &[u8]) -> Result<Vec<Recorded>, Error> {
    if !file.trim_ascii_start().starts_with(b"{") {
        let delivery = Recorded::from_request(file).map_err(|why| {
            Error::Failed(format!("neither a recording nor a raw HTTP request: {why}"))
        });
        return Ok(vec![delivery?]);
    }
    let lines = file.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let deliveries = lines.map(|(index, line)| {
        Recorded::from_line(line).map_err(|why| Error::failed(format!("line {}", index + 1), why))
    });
    deliveries.collect()
}

/// Decodes a chunked body (RFC 9112, section 7.1).
fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, size)) = httparse::parse_chunk_size(rest).ok()?
        else {
            return None;
        };
        if size == 0 {
            return Some(body);
        }
        let (chunk, after) = rest
            .get(start..)?
            .split_at_checked(usize::try_from(size).ok()?)?;
        body.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

/// File of recorded deliveries that only its owner can read.
pub(crate) struct Recording(File);

impl Recording {
    /// Opens a file for appending. Creates the file if it does not exist.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        // `mode` applies only to new files.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(Self(file))
    }

    pub(crate) fn add(&mut self, delivery: &Recorded) -> io::Result<()> {
        self.0
            .write_all(format!("{}\n", delivery.to_json()).as_bytes())
    }
}
