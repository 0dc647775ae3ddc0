#![expect(
    clippy::indexing_slicing,
    reason = "the indexed values are created in this file"
)]

use core::{iter, mem, time::Duration};
use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use crate::{
    Delivery, Expected, Recipient, Step,
    delivery::{SIGNATURE, TIMESTAMP},
};

/// Row of the conformance table: a delivery and the expected response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row {
    /// Index in the table.
    pub index: usize,
    /// Stable id, such as `sig/missing`.
    pub id: &'static str,
    /// Requirement level for third-party receivers.
    pub level: Level,
    /// Kind of request.
    pub group: Group,
    /// Description of the delivery.
    pub sent: &'static str,
    /// Ids of the rows whose failure explains a failure of this row.
    pub after: Vec<&'static str>,
    /// Steps of the client.
    pub steps: Vec<Step>,
    /// Process id of the event, unique in the table.
    pub process_id: u64,
    /// Expected response.
    pub expected: Expected,
    /// True if the connection can be reused after this row.
    pub reusable: bool,
}

/// Requirement level of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "each check is required, recommended or informational"
)]
pub enum Level {
    /// Failure means that forged deliveries are handled, or genuine ones are lost.
    Must,
    /// Failure means that the receiver is easier to attack.
    Should,
    /// The result is informational, because correct receivers differ.
    Info,
}

/// Kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Group {
    /// Small and well-formed.
    Basic,
    /// Large body.
    Large,
    /// Request that no HTTP client sends.
    Raw,
    /// Request that stalls.
    Slow,
}

/// Size of a body that exceeds the default limit of 256 KiB.
const TOO_LARGE_BYTES: usize = 300 * 1024;

/// Returns the table for HTTP/1.1. Process ids count up from `first_process_id`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use scrupp_verify_cli::{Expected, Recipient, http1_rows};
///
/// let recipient = Arc::new(Recipient {
///     host: "127.0.0.1:3000".to_owned(),
///     target: "/webhooks/scrupp".to_owned(),
///     secret: b"topsecret".to_vec(),
///     previous_secret: None,
///     content_type: Some("application/json"),
///     meta: None,
/// });
/// let rows = http1_rows(&recipient, 1);
/// let expected = |id: &str| rows.iter().find(|row| row.id == id).map(|row| &row.expected);
/// assert!(matches!(expected("genuine/completed"), Some(Expected::Handled(_))));
/// assert_eq!(expected("sig/missing"), Some(&Expected::Rejected(401)));
/// ```
#[must_use]
pub fn http1_rows(recipient: &Arc<Recipient>, first_process_id: u64) -> Vec<Row> {
    let mut table = Table {
        recipient: Arc::clone(recipient),
        first_process_id,
        rows: Vec::new(),
    };
    forged(&mut table);
    contents(&mut table);
    genuine(&mut table);
    signatures(&mut table);
    times(&mut table);
    headers(&mut table);
    bodies(&mut table);
    framings(&mut table);
    tricks(&mut table);
    connections(&mut table);
    table.rows
}

/// Adds the rows whose failure explains most other failures.
fn forged(table: &mut Table) {
    table
        .rejected("sig/another-secret", "signed with another secret", |d| {
            d.forge();
        })
        .after(&[]);
    let sent = "a signature with only its first 16 digits correct";
    table
        .changed("sig/prefix", sent, |s| format!("{:0<71}", &s[..23]))
        .after(&["sig/another-secret"]);
}

fn genuine(table: &mut Table) {
    table
        .genuine("genuine/completed", "a genuine event, completed", |_| {})
        .after(&["mac/body-only", "raw-body/key-order", "raw-body/spaced"]);
    table.genuine("genuine/failed", "a genuine event, failed", |d| {
        let event = String::from_utf8_lossy(&d.body).into_owned();
        let failed = r#""status":"failed","error":"No""#;
        d.body = event.replace(r#""status":"completed""#, failed).into();
        d.sign();
    });
    if let Some(previous) = table.recipient.previous_secret.clone() {
        let sent = "signed with the previous secret";
        table.genuine("genuine/previous-secret", sent, |d| {
            d.sign_with(previous, d.now);
        });
    }
    let sent = "a genuine event, with spaces and newlines";
    table
        .genuine("raw-body/spacing", sent, |d| {
            let event = String::from_utf8_lossy(&d.body).replace(',', ",\n ");
            d.body = format!("{event}\n").into();
            d.sign();
        })
        .also_after(&["raw-body/reserialized", "raw-body/whitespace"]);
}

fn signatures(table: &mut Table) {
    table
        .genuine("sig/upper-case", "hex digits in upper case", |d| {
            let digits = d.value(SIGNATURE).replace("sha256=", "").to_uppercase();
            d.set(SIGNATURE, &format!("sha256={digits}"));
        })
        .level(Level::Info);
    for (id, sent, change) in [
        (
            "sig/last-digit",
            "the last digit changed",
            flip_last_digit as fn(&str) -> String,
        ),
        ("sig/63-digits", "63 hex digits", |s| {
            s[..s.len() - 1].into()
        }),
        ("sig/65-digits", "65 hex digits", |s| format!("{s}0")),
        ("sig/short", "only the first 16 hex digits", |s| {
            s[..23].into()
        }),
        ("sig/empty", "an empty signature", |_| String::new()),
        ("sig/prefix-alone", "sha256= without digits", |_| {
            "sha256=".into()
        }),
    ] {
        let row = table.changed(id, sent, change);
        if id != "sig/63-digits" {
            row.also_after(&["sig/63-digits"]);
        }
    }
    for (id, sent, change) in [
        (
            "sig/no-prefix",
            "no sha256= prefix",
            (|s| s.replace("sha256=", "")) as fn(&str) -> String,
        ),
        ("sig/upper-case-prefix", "the prefix SHA256=", |s| {
            s.replace("sha256", "SHA256")
        }),
        ("sig/another-prefix", "the prefix sha1=", |s| {
            s.replace("sha256", "sha1")
        }),
        ("sig/joined", "two signatures joined by a comma", |s| {
            format!("{s}, {s}")
        }),
    ] {
        table.changed(id, sent, change).level(Level::Info);
    }
}

fn flip_last_digit(signature: &str) -> String {
    let (rest, last) = signature.split_at(signature.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

/// Adds deliveries whose signed content differs from the timestamp, a dot and the body.
fn contents(table: &mut Table) {
    table.rejected("mac/body-only", "signed without the timestamp", |d| {
        d.sign_content(&[&d.body.clone()]);
    });
    table.rejected("mac/no-dot", "signed without the dot", |d| {
        d.sign_content(&[d.value(TIMESTAMP).as_bytes(), &d.body.clone()]);
    });
    table.rejected("mac/timestamp", "a modified timestamp", |d| {
        d.set(TIMESTAMP, &(d.now - 1).to_string());
    });
    let sent = "the signed JSON, with a space added after each comma";
    table.rejected("raw-body/reserialized", sent, |d| {
        d.body = String::from_utf8_lossy(&d.body).replace(',', ", ").into();
    });
    let sent = "the signed JSON, with keys in another order";
    table
        .rejected("raw-body/key-order", sent, |d| {
            let event = String::from_utf8_lossy(&d.body).into_owned();
            let first = r#""event":"task.completed","#;
            let last = r#","event":"task.completed"}"#;
            if let Ok(sorted) = serde_json::from_str::<BTreeMap<String, Value>>(&event) {
                d.body = serde_json::to_vec(&sorted).unwrap_or_default();
                d.sign();
            }
            let rest = event.replacen(first, "", 1);
            d.body = format!("{}{last}", rest.strip_suffix('}').unwrap_or(&rest)).into();
        })
        .also_after(&["raw-body/reserialized"]);
    let sent = "JSON that was signed with spaces, sent without them";
    table
        .rejected("raw-body/spaced", sent, |d| {
            let compact = d.body.clone();
            let event = String::from_utf8_lossy(&compact);
            d.body = event.replace(',', ", ").replace(':', ": ").into();
            d.sign();
            d.body = compact;
        })
        .also_after(&["raw-body/reserialized", "raw-body/key-order"]);
    table
        .rejected("raw-body/whitespace", "a space appended to the body", |d| {
            d.body.push(b' ');
        })
        .also_after(&[
            "raw-body/reserialized",
            "raw-body/key-order",
            "raw-body/spaced",
        ]);
    table.rejected("mac/body", "a modified body", |d| {
        let event = String::from_utf8_lossy(&d.body).into_owned();
        d.body = event.replacen("completed", "Completed", 1).into();
    });
    table.rejected("mac/cut-body", "a body without its last byte", |d| {
        d.body.pop();
    });
    table.rejected("mac/empty-body", "an empty body", |d| d.body.clear());
}

fn times(table: &mut Table) {
    table.rejected("time/missing", "no timestamp", |d| d.remove(TIMESTAMP));
    let sent = "no timestamp, and signed without one";
    table
        .rejected("time/not-signed", sent, |d| {
            d.remove(TIMESTAMP);
            d.sign_content(&[&d.body.clone()]);
        })
        .also_after(&["mac/body-only"]);
    let sent = "no timestamp, and signed with an empty one";
    table.rejected("time/signed-empty", sent, |d| {
        d.remove(TIMESTAMP);
        d.sign_content(&[b".", &d.body.clone()]);
    });
    table.rejected("time/stale", "signed a day ago", |d| {
        d.sign_at(d.now - 86_400);
    });
    table
        .rejected("time/window", "signed 310 s ago", |d| {
            d.sign_at(d.now - 310);
        })
        .also_after(&["time/stale"]);
    table
        .rejected("time/future", "signed a day ahead", |d| {
            d.sign_at(d.now + 86_400);
        })
        .also_after(&["time/stale"]);
    table
        .rejected("time/ahead", "signed 70 s ahead", |d| d.sign_at(d.now + 70))
        .level(Level::Info);
    table
        .rejected("time/milliseconds", "a timestamp in milliseconds", |d| {
            d.sign_at(d.now * 1000);
        })
        .also_after(&["time/stale", "time/future"]);
    table
        .genuine("time/290-s-old", "signed 290 s ago", |d| {
            d.sign_at(d.now - 290);
        })
        .level(Level::Should);
    table
        .genuine("time/50-s-ahead", "signed 50 s ahead", |d| {
            d.sign_at(d.now + 50);
        })
        .level(Level::Should);
    let sent = "the largest 64-bit timestamp";
    table
        .rejected("time/last", sent, |d| d.sign_at(u64::MAX))
        .also_after(&["time/stale", "time/future"]);
    table
        .rejected("time/first", "a timestamp in 1970", |d| d.sign_at(1))
        .also_after(&["time/stale"]);
    for (id, sent, change) in [
        (
            "time/plus",
            "a timestamp with a plus sign",
            (|t| format!("+{t}")) as fn(&str) -> String,
        ),
        ("time/zero", "a timestamp with a leading zero", |t| {
            format!("0{t}")
        }),
        ("time/minus", "a timestamp with a minus sign", |t| {
            format!("-{t}")
        }),
        ("time/fraction", "a timestamp with a fraction", |t| {
            format!("{t}.0")
        }),
        ("time/joined", "two timestamps joined by a comma", |t| {
            format!("{t},{t}")
        }),
        ("time/overflow", "a timestamp of 2^64", |_| {
            "18446744073709551616".into()
        }),
        ("time/empty", "an empty timestamp", |_| String::new()),
    ] {
        // The signature is valid. Only the form of the timestamp is wrong.
        table
            .rejected(id, sent, |d| {
                let time = change(&d.value(TIMESTAMP));
                d.set(TIMESTAMP, &time);
                d.sign_content(&[time.as_bytes(), b".", &d.body.clone()]);
            })
            .also_after(&["time/signed-empty", "time/stale", "time/future"])
            .level(Level::Info);
    }
}

/// Returns a row that ends its connection.
fn last(request: Vec<u8>, expected: Expected) -> (Vec<Step>, Expected, bool) {
    (vec![Step::Send(request)], expected, false)
}

fn handled(delivery: &Delivery) -> Expected {
    Expected::Handled(delivery.body.clone())
}

fn headers(table: &mut Table) {
    let sent = "the valid signature, then another";
    table
        .rejected("header/two-signatures", sent, |d| {
            d.headers.push((SIGNATURE, wrong_signature()));
        })
        .also_after(&["sig/63-digits"])
        .level(Level::Should);
    let sent = "another signature, then the valid one";
    table
        .rejected("header/two-signatures-reversed", sent, |d| {
            d.headers.insert(0, (SIGNATURE, wrong_signature()));
        })
        .also_after(&["header/two-signatures"])
        .level(Level::Should);
    let sent = "the signed timestamp, then another";
    table
        .rejected("header/two-timestamps", sent, |d| {
            d.headers.push((TIMESTAMP, "1".to_owned()));
        })
        .also_after(&["header/two-signatures", "sig/63-digits"])
        .level(Level::Should);
    let sent = "another timestamp, then the signed one";
    table
        .rejected("header/two-timestamps-reversed", sent, |d| {
            d.headers.insert(0, (TIMESTAMP, "1".to_owned()));
        })
        .also_after(&["header/two-timestamps", "header/two-signatures-reversed"])
        .level(Level::Should);
    for (id, sent, name) in [
        (
            "header/repeated-signature",
            "the signature twice",
            SIGNATURE,
        ),
        (
            "header/repeated-timestamp",
            "the timestamp twice",
            TIMESTAMP,
        ),
    ] {
        table
            .rejected(id, sent, |d| d.headers.push((name, d.value(name))))
            .level(Level::Info);
    }
    table
        .rejected("header/40-signatures", "40 signatures", |d| {
            d.headers
                .extend((0..39).map(|_| (SIGNATURE, "x".to_owned())));
        })
        .also_after(&["header/two-signatures"])
        .level(Level::Should);
    table
        .rejected("sig/missing", "no signature", |d| d.remove(SIGNATURE))
        .also_after(&["sig/63-digits"]);
    table.rejected("header/none", "neither signature nor timestamp", |d| {
        d.headers.clear();
    });
    for (id, sent, signature, timestamp) in [
        (
            "header/lower-case",
            "header names in lower case",
            "x-scrupp-signature",
            "x-scrupp-timestamp",
        ),
        (
            "header/mixed-case",
            "header names in mixed case",
            "x-sCrUpP-sIgNaTuRe",
            "X-sCRUPP-tIMESTAMP",
        ),
    ] {
        table.genuine(id, sent, |d| rename(d, signature, timestamp));
    }
    table
        .genuine("header/space", "spaces and tabs around the values", |d| {
            for (_, value) in &mut d.headers {
                *value = format!(" \t{value}\t ");
            }
        })
        .level(Level::Info);
    let sent = "the signature header with underscores";
    table
        .rejected("header/underscore", sent, |d| {
            rename(d, "X_Scrupp_Signature", TIMESTAMP);
        })
        .level(Level::Info);
    table
        .rejected("header/underscores", "both headers with underscores", |d| {
            rename(d, "X_Scrupp_Signature", "X_Scrupp_Timestamp");
        })
        .level(Level::Info);
    table.changed("header/8-kib", "a signature of 8 KiB", |_| {
        "sha256=".repeat(1170)
    });
}

/// Returns a well-formed signature that matches no delivery.
fn wrong_signature() -> String {
    format!("sha256={}", "0".repeat(64))
}

fn rename(delivery: &mut Delivery, signature: &'static str, timestamp: &'static str) {
    for (name, _) in &mut delivery.headers {
        *name = if *name == SIGNATURE {
            signature
        } else {
            timestamp
        };
    }
}

fn bodies(table: &mut Table) {
    let sent = "a body of 256 KiB";
    table
        .genuine("body/256-kib", sent, |d| d.pad_to(256 * 1024))
        .group(Group::Large)
        .level(Level::Info);
    let sent = "a body of 200 KiB";
    table
        .genuine("body/200-kib", sent, |d| d.pad_to(200 * 1024))
        .group(Group::Large)
        .level(Level::Info);
    table
        .genuine("body/not-utf-8", "a body that is not UTF-8", |d| {
            d.body.extend(b"\xff\xfe\x00");
            d.sign();
        })
        .level(Level::Info);
    let sent = "Content-Encoding: gzip, on a body that is not compressed";
    table
        .genuine("body/content-encoding", sent, |d| {
            d.headers.push(("Content-Encoding", "gzip".into()));
        })
        .level(Level::Info);
    table
        .genuine("body/content-type", "Content-Type: text/plain", |d| {
            d.headers.push(("Content-Type", "text/plain".into()));
        })
        .level(Level::Info);
    let sent = "a Content-Length of 256 KiB plus 1 byte";
    table
        .rejected("limit/256-kib", sent, |d| d.pad_to(256 * 1024 + 1))
        .expected(413)
        .group(Group::Large)
        .level(Level::Info);
    let sent = "a Content-Length of 300 KiB";
    table
        .rejected("limit/300-kib", sent, |d| d.pad_to(TOO_LARGE_BYTES))
        .expected(413)
        .group(Group::Large)
        .level(Level::Info);
}

fn framings(table: &mut Table) {
    let in_chunks = |d: &Delivery, chunk_bytes, expected: Expected| {
        let reusable = expected != Expected::Rejected(413);
        (vec![Step::Send(d.chunked(chunk_bytes))], expected, reusable)
    };
    let one = &["chunks/one"];
    for (id, sent, chunk_bytes, after) in [
        ("chunks/one", "a body in one chunk", 100_000, &[][..]),
        ("chunks/bytes", "a body in chunks of one byte", 1, one),
    ] {
        table
            .add(id, sent, |d| in_chunks(d, chunk_bytes, handled(d)))
            .group(Group::Basic)
            .level(Level::Should)
            .also_after(after);
    }
    table
        .add("chunks/200-kib", "a body of 200 KiB in chunks", |d| {
            d.pad_to(200 * 1024);
            in_chunks(d, 5000, handled(d))
        })
        .group(Group::Large)
        .level(Level::Info);
    let sent = "a body of 256 KiB plus 1 byte in chunks";
    table
        .add("chunks/limit", sent, |d| {
            d.pad_to(256 * 1024 + 1);
            in_chunks(d, 5000, Expected::Rejected(413))
        })
        .group(Group::Large)
        .level(Level::Info);
    let sent = "a body in chunks, signed with another secret";
    table
        .add("chunks/forged", sent, |d| {
            d.forge();
            in_chunks(d, 7, Expected::Rejected(401))
        })
        .group(Group::Basic);
    table
        .add("chunks/extension", "chunk extensions", |d| {
            let mut request = d.head("Transfer-Encoding: chunked");
            request.extend(format!("{:x};name=value\r\n", d.body.len()).bytes());
            request.extend_from_slice(&d.body);
            request.extend_from_slice(b"\r\n0\r\n\r\n");
            (vec![Step::Send(request)], handled(d), true)
        })
        .also_after(one);
    table.add("chunks/signed-trailer", "the signature in a trailer", |d| {
        let headers = mem::take(&mut d.headers);
        let mut request = d.head("Transfer-Encoding: chunked\r\nTrailer: X-Scrupp-Signature");
        request.extend(format!("{:x}\r\n", d.body.len()).bytes());
        request.extend_from_slice(&d.body);
        request.extend_from_slice(b"\r\n0\r\n");
        for (name, value) in headers {
            request.extend(format!("{name}: {value}\r\n").bytes());
        }
        request.extend_from_slice(b"\r\n");
        last(request, Expected::RejectedOrClosed(401))
    });
    let sent = "a second signature in a trailer";
    table
        .add("chunks/trailer", sent, |d| {
            let mut request = d.head("Transfer-Encoding: chunked");
            request.extend(format!("{:x}\r\n", d.body.len()).bytes());
            request.extend_from_slice(&d.body);
            request.extend_from_slice(b"\r\n0\r\nX-Scrupp-Signature: sha256=00\r\n\r\n");
            last(request, handled(d))
        })
        .also_after(one);
    table.add("chunks/malformed", "a malformed chunk", |d| {
        let mut request = d.head("Transfer-Encoding: chunked");
        request.extend_from_slice(b"5\r\nhello\r\nxyz\r\nmore");
        last(request, Expected::RejectedOrClosed(400))
    });
    table.add("chunks/cut", "an incomplete chunk", |d| {
        let mut request = d.head("Transfer-Encoding: chunked");
        request.extend_from_slice(b"ff\r\nhello");
        (
            vec![Step::Send(request), Step::Finish],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    let sent = "a body shorter than its Content-Length";
    table.add("length/cut", sent, |d| {
        let mut request = d.request();
        request.truncate(request.len() - 5);
        (
            vec![Step::Send(request), Step::Finish],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    let sent = "Content-Length and Transfer-Encoding";
    table.add("length/and-chunks", sent, |d| {
        let length = d.body.len();
        let mut request = d.head(&format!(
            "Content-Length: {length}\r\nTransfer-Encoding: chunked"
        ));
        request.extend_from_slice(b"0\r\n\r\n");
        last(request, Expected::RejectedOrClosed(401))
    });
    table
        .add("length/two", "two different Content-Length values", |d| {
            let length = d.body.len();
            let mut request = d.head(&format!(
                "Content-Length: {length}\r\nContent-Length: {}",
                length - 1
            ));
            request.extend_from_slice(&d.body);
            last(request, Expected::RejectedOrClosed(400))
        })
        // A server may use the first value, and verify the whole body.
        .level(Level::Info);
    table
        .add("length/exabytes", "a Content-Length of 4 EiB", |d| {
            let request = d.head("Content-Length: 4611686018427387904");
            last(request, Expected::Rejected(413))
        })
        .level(Level::Should)
        .also_after(&["limit/declared"]);
    table.add("header/folded", "a folded header", |d| {
        let signature = d.value(SIGNATURE);
        d.set(SIGNATURE, &format!("sha256=\r\n {}", &signature[7..]));
        last(d.request(), Expected::RejectedOrClosed(400))
    });
    table.add("header/nul", "a NUL byte in the signature", |d| {
        let signature = d.value(SIGNATURE);
        d.set(SIGNATURE, &format!("{signature}\0"));
        last(d.request(), Expected::RejectedOrClosed(400))
    });
    table
        .add("method/get", "a GET request without a signature", |d| {
            d.headers.clear();
            let head = String::from_utf8_lossy(&d.head("Connection: keep-alive"))
                .replacen("POST", "GET", 1)
                .into_bytes();
            (vec![Step::Send(head)], Expected::Rejected(401), true)
        })
        .group(Group::Basic)
        .level(Level::Info);
}

/// Adds requests that servers read differently. The handler must still get only verified bytes.
fn tricks(table: &mut Table) {
    let plain = |table: &mut Table, id, sent, request: fn(&mut Delivery) -> Vec<u8>| {
        table.add(id, sent, |d| {
            let request = request(d);
            let expected = Expected::HandledOrNot(d.body.clone());
            last(request, expected)
        });
    };
    table
        .add("header/100-signatures", "100 signatures", |d| {
            d.headers
                .extend((0..99).map(|_| (SIGNATURE, "x".to_owned())));
            last(d.request(), Expected::RejectedOrClosed(431))
        })
        .level(Level::Info);
    let sent = "a space before the colon of a header";
    table.add("header/space-before-colon", sent, |d| {
        rename(d, "X-Scrupp-Signature ", "X-Scrupp-Timestamp ");
        last(d.request(), Expected::RejectedOrClosed(400))
    });
    let sent = "bare line feeds in the head";
    plain(table, "head/bare-line-feeds", sent, |d| {
        let head = d.head_with_length();
        let head = head.into_iter().filter(|byte| *byte != b'\r');
        head.chain(d.body.clone()).collect()
    });
    let sent = "bare line feeds between chunks";
    plain(table, "chunks/bare-line-feeds", sent, |d| {
        let head = d.head("Transfer-Encoding: chunked");
        let chunks = format!(
            "{:x}\n{}\n0\n\n",
            d.body.len(),
            String::from_utf8_lossy(&d.body)
        );
        [head, chunks.into_bytes()].concat()
    });
    let sent = "Content-Length and Transfer-Encoding, with the decoded chunks signed";
    plain(table, "length/and-signed-chunks", sent, |d| {
        let length = d.body.len();
        let both = d.head(&format!(
            "Content-Length: {length}\r\nTransfer-Encoding: chunked"
        ));
        let chunked = d.chunked(10_000);
        let body = chunked.windows(4).position(|end| end == b"\r\n\r\n");
        [both.as_slice(), &chunked[body.map_or(0, |at| at + 4)..]].concat()
    });
    let sent = "the same Content-Length twice";
    plain(table, "length/twice", sent, |d| {
        let length = d.body.len();
        let head = d.head(&format!(
            "Content-Length: {length}\r\nContent-Length: {length}"
        ));
        [head, d.body.clone()].concat()
    });
    let sent = "a Content-Length with a plus sign";
    plain(table, "length/plus", sent, |d| {
        let head = d.head(&format!("Content-Length: +{}", d.body.len()));
        [head, d.body.clone()].concat()
    });
    let sent = "Transfer-Encoding: chunked, chunked";
    plain(table, "chunks/twice", sent, |d| {
        let chunked = String::from_utf8_lossy(&d.chunked(10_000)).into_owned();
        chunked
            .replacen("chunked", "chunked, chunked", 1)
            .into_bytes()
    });
    let sent = "Transfer-Encoding: xchunked";
    plain(table, "chunks/another-coding", sent, |d| {
        let chunked = String::from_utf8_lossy(&d.chunked(10_000)).into_owned();
        chunked.replacen("chunked", "xchunked", 1).into_bytes()
    });
    plain(table, "chunks/0x", "a chunk size with 0x", |d| {
        let head = d.head("Transfer-Encoding: chunked");
        let chunk = format!(
            "0x{:x}\r\n{}\r\n0\r\n\r\n",
            d.body.len(),
            String::from_utf8_lossy(&d.body)
        );
        [head, chunk.into_bytes()].concat()
    });
    let sent = "a chunk size above 2^64";
    plain(table, "chunks/overflow", sent, |d| {
        let head = d.head("Transfer-Encoding: chunked");
        let size = format!("1{:016x}", d.body.len());
        let chunk = format!(
            "{size}\r\n{}\r\n0\r\n\r\n",
            String::from_utf8_lossy(&d.body)
        );
        [head, chunk.into_bytes()].concat()
    });
    let sent = "a forged delivery, followed by a second request";
    table.add("length/hidden-request", sent, |d| {
        // The bytes after the body are a second request without a valid signature.
        let hidden = Delivery::new(&d.recipient, d.process_id + 900_000);
        d.forge();
        let request = [d.request(), hidden.head("Content-Length: 0")].concat();
        last(request, Expected::Rejected(401))
    });
}

fn connections(table: &mut Table) {
    const MOMENT: Duration = Duration::from_millis(100);
    let body_later = |d: &Delivery| {
        vec![
            Step::Send(d.head_with_length()),
            Step::Wait(MOMENT),
            Step::Send(d.body.clone()),
        ]
    };

    let sent = "a stale delivery with a delayed body";
    table
        .add("wait/stale-body", sent, |d| {
            d.sign_at(d.now - 86_400);
            (body_later(d), Expected::Rejected(401), true)
        })
        .also_after(&["time/stale"]);
    let sent = "a stale delivery with a delayed body, on a connection that may close";
    table
        .add("wait/stale-body-closing", sent, |d| {
            d.sign_at(d.now - 86_400);
            (body_later(d), Expected::RejectedOrClosed(401), false)
        })
        .also_after(&["time/stale"]);
    let sent = "a genuine delivery with a delayed body";
    table.add("wait/genuine-body", sent, |d| {
        (body_later(d), handled(d), true)
    });
    let sent = "a stale delivery with Expect: 100-continue";
    table
        .add("wait/stale-continue", sent, |d| {
            d.sign_at(d.now - 86_400);
            d.headers.push(("Expect", "100-continue".into()));
            last(d.head_with_length(), Expected::Rejected(401))
        })
        // Most servers send 100 Continue, and wait for the body.
        .group(Group::Slow)
        .level(Level::Info);
    let sent = "a genuine delivery with Expect: 100-continue";
    table
        .add("wait/genuine-continue", sent, |d| {
            d.headers.push(("Expect", "100-continue".into()));
            let (head, body) = (d.head_with_length(), d.body.clone());
            let steps = vec![
                Step::Send(head),
                Step::AwaitContinue,
                Step::Send(body.clone()),
            ];
            (steps, Expected::Handled(body), true)
        })
        .level(Level::Info);
    table
        .add("slow/stalled-body", "a body that stalls", |d| {
            let mut request = d.request();
            request.truncate(request.len() - 5);
            last(request, Expected::Rejected(408))
        })
        .group(Group::Slow)
        .level(Level::Should);
    table
        .add("slow/trickling-body", "a body that trickles", |d| {
            let head = d.head_with_length();
            let bytes = d.body.iter().take(14);
            let trickle = bytes
                .flat_map(|byte| [Step::Wait(Duration::from_secs(1)), Step::Send(vec![*byte])]);
            let steps = iter::once(Step::Send(head)).chain(trickle).collect();
            (steps, Expected::Rejected(408), false)
        })
        .group(Group::Slow)
        .level(Level::Should);
    table
        .add("limit/declared", "a Content-Length of 64 MiB", |d| {
            let mut steps = vec![Step::Send(d.head("Content-Length: 67108864"))];
            steps.push(Step::Repeat(vec![b'x'; 1 << 20], 64));
            (steps, Expected::RejectedOrClosed(413), false)
        })
        .group(Group::Large)
        .level(Level::Should);
    table
        .add("limit/chunks", "a body of 64 MiB in chunks", |d| {
            let mut steps = vec![Step::Send(d.head("Transfer-Encoding: chunked"))];
            let chunk = [b"100000\r\n", &[b'x'; 1 << 20][..], b"\r\n"].concat();
            steps.push(Step::Repeat(chunk, 64));
            (steps, Expected::RejectedOrClosed(413), false)
        })
        .group(Group::Large)
        .level(Level::Should)
        .also_after(&["limit/declared", "chunks/one"]);
}

/// Rows whose failure explains why other forged deliveries are accepted.
const FORGED: &[&str] = &["sig/another-secret", "sig/prefix"];

struct Table {
    recipient: Arc<Recipient>,
    first_process_id: u64,
    rows: Vec<Row>,
}

impl Table {
    fn add(
        &mut self,
        id: &'static str,
        sent: &'static str,
        row: impl FnOnce(&mut Delivery) -> (Vec<Step>, Expected, bool),
    ) -> &mut Row {
        let process_id = self.first_process_id.wrapping_add(self.rows.len() as u64);
        let mut delivery = Delivery::new(&self.recipient, process_id);
        let (steps, expected, reusable) = row(&mut delivery);
        let after = match expected {
            Expected::Handled(_) => &["genuine/completed"],
            _ => FORGED,
        };
        let index = self.rows.len();
        let row = Row {
            index,
            id,
            level: Level::Must,
            group: Group::Raw,
            sent,
            after: after.to_vec(),
            steps,
            process_id,
            expected,
            reusable,
        };
        self.rows.push(row);
        &mut self.rows[index]
    }

    /// Adds a genuine delivery.
    fn genuine(
        &mut self,
        id: &'static str,
        sent: &'static str,
        change: impl FnOnce(&mut Delivery),
    ) -> &mut Row {
        self.add(id, sent, |d| {
            change(d);
            (vec![Step::Send(d.request())], handled(d), true)
        })
        .group(Group::Basic)
    }

    /// Adds a delivery that must be rejected with 401.
    fn rejected(
        &mut self,
        id: &'static str,
        sent: &'static str,
        change: impl FnOnce(&mut Delivery),
    ) -> &mut Row {
        self.add(id, sent, |d| {
            change(d);
            (vec![Step::Send(d.request())], Expected::Rejected(401), true)
        })
        .group(Group::Basic)
    }

    /// Adds a delivery whose signature is replaced, so it must be rejected with 401.
    fn changed(
        &mut self,
        id: &'static str,
        sent: &'static str,
        change: impl FnOnce(&str) -> String,
    ) -> &mut Row {
        self.rejected(id, sent, |d| {
            let changed = change(&d.value(SIGNATURE));
            d.set(SIGNATURE, &changed);
        })
    }
}

impl Row {
    fn level(&mut self, level: Level) -> &mut Self {
        self.level = level;
        self
    }

    fn group(&mut self, group: Group) -> &mut Self {
        self.group = group;
        self
    }

    /// Sets the ids of the rows that explain a failure of this row.
    fn after(&mut self, ids: &[&'static str]) -> &mut Self {
        self.after = ids.to_vec();
        self
    }

    fn also_after(&mut self, ids: &[&'static str]) -> &mut Self {
        self.after.extend_from_slice(ids);
        self
    }

    /// Sets an expected status other than 401, after which the server may close the connection.
    fn expected(&mut self, status: u16) -> &mut Self {
        self.expected = Expected::Rejected(status);
        self.reusable = false;
        self
    }
}
