//! Causes of signature mismatches, found by trying common mistakes.

use std::io::Read;

use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::read::GzDecoder;
use hmac::{Hmac, KeyInit, Mac};
use serde_core::Serialize;
use serde_json::{
    Value,
    ser::{Formatter, PrettyFormatter, Serializer},
};
use sha2::Sha256;

/// Maximum size of a decompressed body, in bytes.
const GUNZIP_LIMIT: u64 = 1024 * 1024;

/// Change to the delivery or the secret that explains why the signature does not match.
#[derive(Clone, Copy)]
pub(crate) enum Cause {
    TrailingNewline,
    Crlf,
    Reserialized,
    ByteOrderMark,
    Base64,
    Gzip,
    Milliseconds,
    TimestampNotSigned,
    SecretWhitespace,
    SecretQuotes,
    SecretHex,
}

impl Cause {
    /// Returns the name, as in JSON output.
    pub(crate) fn as_str(self) -> &'static str {
        self.texts().0
    }

    /// Returns the mistake, and a remedy.
    pub(crate) fn advice(self) -> &'static str {
        self.texts().1
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::TrailingNewline => (
                "trailing-newline",
                "a line ending was added or removed at the end of the body. Verify the raw body, \
                 and send files with `curl --data-binary`.",
            ),
            Self::Crlf => (
                "crlf",
                "line endings in the body changed between LF and CRLF. Verify the raw body.",
            ),
            Self::Reserialized => (
                "reserialized",
                "the JSON was parsed and serialized again after signing. Verify the raw body, \
                 before any JSON parser.",
            ),
            Self::ByteOrderMark => (
                "byte-order-mark",
                "a byte order mark (U+FEFF) was added or removed at the start of the body. Verify \
                 the raw body, not decoded text.",
            ),
            Self::Base64 => (
                "base64",
                "the body was encoded or decoded as Base64 after signing. Verify the signed bytes. \
                 If API Gateway sets `isBase64Encoded`, decode the body first.",
            ),
            Self::Gzip => (
                "gzip",
                "the body was compressed after signing. Decompress the body before verifying, or \
                 disable compression.",
            ),
            Self::Milliseconds => (
                "milliseconds",
                "the timestamp is in milliseconds in the header or in the signed content. Use \
                 seconds, with the same digits in both.",
            ),
            Self::TimestampNotSigned => (
                "timestamp-not-signed",
                "only the body was signed. Sign the timestamp, a dot and the body.",
            ),
            Self::SecretWhitespace => (
                "secret-whitespace",
                "one side has whitespace around the secret, such as the newline at the end of a \
                 file. Remove the whitespace.",
            ),
            Self::SecretQuotes => (
                "secret-quotes",
                "one side has quotes around the secret, for example from a `.env` file. Remove \
                 the quotes.",
            ),
            Self::SecretHex => (
                "secret-hex",
                "one side decodes the secret as hex, and the other uses the text. Use the text on \
                 both sides.",
            ),
        }
    }
}

/// Returns the first cause that explains the mismatch for one of the secrets.
///
/// The timestamp and the signature must be well-formed. The secrets may be invalid.
pub(crate) fn find(
    timestamp: &[u8],
    signature: &[u8],
    body: &[u8],
    secrets: &[Vec<u8>],
) -> Option<Cause> {
    let tag = unhex(signature.strip_prefix(b"sha256=")?)?;
    // The core rejects some of these keys and messages, so the tag is computed here.
    let matches = |key: &[u8], message: &[&[u8]]| {
        Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mut mac| {
            message.iter().for_each(|part| mac.update(part));
            mac.verify_slice(&tag).is_ok()
        })
    };
    let any_secret = |message: &[&[u8]]| secrets.iter().any(|secret| matches(secret, message));

    let bodies: [(Cause, Variants); 6] = [
        (Cause::TrailingNewline, other_ends),
        (Cause::Crlf, other_line_endings),
        (Cause::Reserialized, reserialized),
        (Cause::ByteOrderMark, other_starts),
        (Cause::Base64, base64),
        (Cause::Gzip, gunzip),
    ];
    for (cause, variants) in bodies {
        let mut bodies = variants(body).into_iter();
        if bodies.any(|body| any_secret(&[timestamp, b".", &body])) {
            return Some(cause);
        }
    }
    let mut fractions = (0..1000).map(|millis| format!("{millis:03}."));
    if fractions.any(|fraction| any_secret(&[timestamp, fraction.as_bytes(), body])) {
        return Some(Cause::Milliseconds);
    }
    if any_secret(&[body]) {
        return Some(Cause::TimestampNotSigned);
    }
    let keys: [(Cause, Variants); 3] = [
        (Cause::SecretWhitespace, other_whitespace),
        (Cause::SecretQuotes, other_quotes),
        (Cause::SecretHex, other_hex),
    ];
    for (cause, variants) in keys {
        let mut keys = secrets.iter().flat_map(|secret| variants(secret));
        if keys.any(|key| matches(&key, &[timestamp, b".", body])) {
            return Some(cause);
        }
    }
    None
}

/// A function that returns candidates for the body or the secret of the other side.
type Variants = fn(&[u8]) -> Vec<Vec<u8>>;

fn other_ends(body: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = vec![[body, b"\n"].concat(), [body, b"\r\n"].concat()];
    let shorter = [&b"\n"[..], b"\r\n"].map(|end| body.strip_suffix(end));
    bodies.extend(shorter.into_iter().flatten().map(<[u8]>::to_vec));
    bodies
}

fn other_line_endings(body: &[u8]) -> Vec<Vec<u8>> {
    let lf: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    let lf = lf
        .iter()
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines: Vec<&[u8]> = lf.collect();
    vec![lines.join(&b"\n"[..]), lines.join(&b"\r\n"[..])]
}

/// Returns the JSON of a body as other programs serialize it.
///
/// The candidates have four layouts, original or sorted keys, and the escapes of JavaScript, Python and PHP.
fn reserialized(body: &[u8]) -> Vec<Vec<u8>> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    let layouts = [value, sorted].into_iter().flat_map(|value| {
        [
            value.to_string(),
            formatted(&value, Spaced),
            formatted(&value, PrettyFormatter::new()),
            formatted(&value, PrettyFormatter::with_indent(b"    ")),
        ]
    });
    let escapes = layouts.flat_map(|text| {
        let ascii = escape_non_ascii(&text);
        let slashes = ascii.replace('/', r"\/");
        [text, ascii, slashes]
    });
    escapes.map(String::into_bytes).collect()
}

fn formatted(value: &Value, layout: impl Formatter) -> String {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, layout);
    // Writing to memory cannot fail, and JSON is UTF-8.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(text).unwrap_or_default()
}

/// Formatter that writes a space after each colon and comma, like Python.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// Escapes the non-ASCII characters of JSON, which occur only inside strings.
fn escape_non_ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            text.push_str(&format!("\\u{unit:04x}"));
        }
    }
    text
}

fn other_starts(body: &[u8]) -> Vec<Vec<u8>> {
    let mark = &b"\xef\xbb\xbf"[..];
    let without = body.strip_prefix(mark).map(<[u8]>::to_vec);
    without.into_iter().chain([[mark, body].concat()]).collect()
}

fn base64(body: &[u8]) -> Vec<Vec<u8>> {
    let decoded = BASE64_STANDARD.decode(body.trim_ascii()).ok();
    let encoded = BASE64_STANDARD.encode(body).into_bytes();
    decoded.into_iter().chain([encoded]).collect()
}

fn gunzip(body: &[u8]) -> Vec<Vec<u8>> {
    let mut unzipped = Vec::new();
    let mut decoder = GzDecoder::new(body).take(GUNZIP_LIMIT);
    match decoder.read_to_end(&mut unzipped) {
        Ok(_) if decoder.limit() > 0 => vec![unzipped],
        _ => Vec::new(),
    }
}

fn other_whitespace(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut secrets = vec![secret.trim_ascii().to_vec()];
    for space in [&b"\n"[..], b"\r\n", b" ", b"\t"] {
        secrets.extend([[secret, space].concat(), [space, secret].concat()]);
    }
    secrets
}

fn other_quotes(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    for quote in [&b"\""[..], b"'", b"`"] {
        secrets.push([quote, secret, quote].concat());
        let inner = secret
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        secrets.extend(inner.map(<[u8]>::to_vec));
    }
    secrets
}

fn other_hex(secret: &[u8]) -> Vec<Vec<u8>> {
    let lower: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let upper = lower.to_uppercase();
    let mut secrets = vec![lower.into_bytes(), upper.into_bytes()];
    secrets.extend(unhex(secret));
    secrets
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| match pair {
        [a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
            u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()
        }
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}
