#![expect(
    clippy::indexing_slicing,
    reason = "of texts and lists that are made here"
)]

use core::{iter, mem, time::Duration};
use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use crate::{
    Delivery, Expected, Recipient, Step,
    delivery::{SIGNATURE, TIMESTAMP},
};

/// Row of the conformance table: a delivery, and what is expected of a receiver.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row {
    /// Place in the table.
    pub index: usize,
    /// Stable name, such as `sig/missing`.
    pub id: &'static str,
    /// How much it matters to a receiver that is not of this project.
    pub level: Level,
    /// Kind of request.
    pub group: Group,
    /// Description of the delivery.
    pub sent: &'static str,
    /// Ids of rows that explain a failure of this one.
    pub after: Vec<&'static str>,
    /// Steps of the client.
    pub steps: Vec<Step>,
    /// Process id of the event, which no other row has.
    pub process_id: u64,
    /// Expected response, and whether the handler runs.
    pub expected: Expected,
    /// True if another delivery can be sent on the same connection.
    pub reusable: bool,
}

/// How much a check matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 2119 has no further one")]
pub enum Level {
    /// Otherwise forged deliveries are handled, or genuine ones are lost.
    Must,
    /// Otherwise the receiver is easier to attack or to confuse.
    Should,
    /// Receivers differ.
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
    /// Framing that no HTTP client would send.
    Raw,
    /// Request that stalls.
    Slow,
}

/// More than the default limit of 256 KiB.
const TOO_LARGE_BYTES: usize = 300 * 1024;

/// Returns the table for HTTP/1.1. Process ids count up from the first one.
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

/// If one of these gets in, most others do.
fn forged(table: &mut Table) {
    table
        .rejected("sig/another-secret", "signed with another secret", |d| {
            d.forge();
        })
        .after(&[]);
    table
        .changed("sig/prefix", "right in the first 16 digits only", |s| {
            format!("{:0<71}", &s[..23])
        })
        .after(&["sig/another-secret"]);
}

fn genuine(table: &mut Table) {
    table
        .genuine("genuine/completed", "genuine, completed", |_| {})
        .after(&["mac/body-only", "raw-body/key-order", "raw-body/spaced"]);
    table.genuine("genuine/failed", "genuine, failed", |d| {
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
    let sent = "genuine, with spaces and a newline in the body";
    table
        .genuine("raw-body/spacing", sent, |d| {
            let event = String::from_utf8_lossy(&d.body).replace(',', ",\n ");
            d.body = format!("{event}\n").into();
            d.sign();
        })
        .also_after(&["raw-body/reserialised", "raw-body/whitespace"]);
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
        ("sig/short", "the first 16 digits alone", |s| s[..23].into()),
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
            "no sha256= before the digits",
            (|s| s.replace("sha256=", "")) as fn(&str) -> String,
        ),
        ("sig/upper-case-prefix", "SHA256= before the digits", |s| {
            s.replace("sha256", "SHA256")
        }),
        ("sig/another-prefix", "sha1= before the digits", |s| {
            s.replace("sha256", "sha1")
        }),
        ("sig/joined", "signatures joined by a comma", |s| {
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

/// The signed content is the timestamp, a dot and the body, byte for byte.
fn contents(table: &mut Table) {
    table.rejected("mac/body-only", "signed without the timestamp", |d| {
        d.sign_content(&[&d.body.clone()]);
    });
    table.rejected("mac/no-dot", "signed without the dot", |d| {
        d.sign_content(&[d.value(TIMESTAMP).as_bytes(), &d.body.clone()]);
    });
    table.rejected("mac/timestamp", "the timestamp changed", |d| {
        d.set(TIMESTAMP, &(d.now - 1).to_string());
    });
    let sent = "the signed JSON, with a space after each comma";
    table.rejected("raw-body/reserialised", sent, |d| {
        d.body = String::from_utf8_lossy(&d.body).replace(',', ", ").into();
    });
    let sent = "the signed JSON, with its keys in another order";
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
        .also_after(&["raw-body/reserialised"]);
    let sent = "the signed JSON, without the spaces that Python writes";
    table
        .rejected("raw-body/spaced", sent, |d| {
            let compact = d.body.clone();
            let event = String::from_utf8_lossy(&compact);
            d.body = event.replace(',', ", ").replace(':', ": ").into();
            d.sign();
            d.body = compact;
        })
        .also_after(&["raw-body/reserialised", "raw-body/key-order"]);
    table
        .rejected("raw-body/whitespace", "a space behind the body", |d| {
            d.body.push(b' ');
        })
        .also_after(&[
            "raw-body/reserialised",
            "raw-body/key-order",
            "raw-body/spaced",
        ]);
    table.rejected("mac/body", "the body changed", |d| {
        let event = String::from_utf8_lossy(&d.body).into_owned();
        d.body = event.replacen("completed", "Completed", 1).into();
    });
    table.rejected("mac/cut-body", "the body cut short", |d| {
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
    table.rejected("time/stale", "a day old", |d| d.sign_at(d.now - 86_400));
    table
        .rejected("time/window", "310 s old", |d| d.sign_at(d.now - 310))
        .also_after(&["time/stale"]);
    table
        .rejected("time/future", "a day ahead", |d| d.sign_at(d.now + 86_400))
        .also_after(&["time/stale"]);
    table
        .rejected("time/ahead", "70 s ahead", |d| d.sign_at(d.now + 70))
        .level(Level::Info);
    table
        .rejected("time/milliseconds", "in milliseconds", |d| {
            d.sign_at(d.now * 1000);
        })
        .also_after(&["time/stale", "time/future"]);
    table
        .genuine("time/290-s-old", "290 s old", |d| d.sign_at(d.now - 290))
        .level(Level::Should);
    table
        .genuine("time/50-s-ahead", "50 s ahead", |d| d.sign_at(d.now + 50))
        .level(Level::Should);
    table
        .rejected("time/last", "at the end of time", |d| d.sign_at(u64::MAX))
        .also_after(&["time/stale", "time/future"]);
    table
        .rejected("time/first", "in 1970", |d| d.sign_at(1))
        .also_after(&["time/stale"]);
    for (id, sent, change) in [
        (
            "time/plus",
            "a plus before the time",
            (|t| format!("+{t}")) as fn(&str) -> String,
        ),
        ("time/zero", "a zero before the time", |t| format!("0{t}")),
        ("time/minus", "a minus before the time", |t| format!("-{t}")),
        ("time/fraction", "a fraction", |t| format!("{t}.0")),
        ("time/joined", "times joined by a comma", |t| {
            format!("{t},{t}")
        }),
        ("time/overflow", "2^64 seconds", |_| {
            "18446744073709551616".into()
        }),
        ("time/empty", "an empty time", |_| String::new()),
    ] {
        // Signed as it is: only its form is wrong.
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

/// Sends the last request of a connection.
fn last(request: Vec<u8>, expected: Expected) -> (Vec<Step>, Expected, bool) {
    (vec![Step::Send(request)], expected, false)
}

fn handled(delivery: &Delivery) -> Expected {
    Expected::Handled(delivery.body.clone())
}

fn headers(table: &mut Table) {
    let sent = "a right and a wrong signature";
    table
        .rejected("header/two-signatures", sent, |d| {
            d.headers.push((SIGNATURE, wrong_signature()));
        })
        .also_after(&["sig/63-digits"])
        .level(Level::Should);
    let sent = "a wrong and a right signature";
    table
        .rejected("header/two-signatures-reversed", sent, |d| {
            d.headers.insert(0, (SIGNATURE, wrong_signature()));
        })
        .also_after(&["header/two-signatures"])
        .level(Level::Should);
    let sent = "a right and a wrong timestamp";
    table
        .rejected("header/two-timestamps", sent, |d| {
            d.headers.push((TIMESTAMP, "1".to_owned()));
        })
        .also_after(&["header/two-signatures", "sig/63-digits"])
        .level(Level::Should);
    let sent = "a wrong and a right timestamp";
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
        .genuine("header/space", "space and tab around the values", |d| {
            for (_, value) in &mut d.headers {
                *value = format!(" \t{value}\t ");
            }
        })
        .level(Level::Info);
    table
        .rejected("header/underscore", "an underscore for a dash", |d| {
            rename(d, "X_Scrupp_Signature", TIMESTAMP);
        })
        .level(Level::Info);
    table
        .rejected("header/underscores", "underscores for dashes", |d| {
            rename(d, "X_Scrupp_Signature", "X_Scrupp_Timestamp");
        })
        .level(Level::Info);
    table.changed("header/8-kib", "8 KiB of signature", |_| {
        "sha256=".repeat(1170)
    });
}

/// Well-formed, and that of no delivery.
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
    table
        .genuine("body/256-kib", "256 KiB", |d| d.pad_to(256 * 1024))
        .group(Group::Large)
        .level(Level::Info);
    table
        .genuine("body/200-kib", "200 KiB", |d| d.pad_to(200 * 1024))
        .group(Group::Large)
        .level(Level::Info);
    table
        .genuine("body/not-utf-8", "a body that is not UTF-8", |d| {
            d.body.extend(b"\xff\xfe\x00");
            d.sign();
        })
        .level(Level::Info);
    let sent = "a body that says that it is compressed";
    table
        .genuine("body/content-encoding", sent, |d| {
            // The bytes are left alone: they are no gzip.
            d.headers.push(("Content-Encoding", "gzip".into()));
        })
        .level(Level::Info);
    table
        .genuine("body/content-type", "Content-Type: text/plain", |d| {
            d.headers.push(("Content-Type", "text/plain".into()));
        })
        .level(Level::Info);
    let sent = "a byte more than 256 KiB, declared";
    table
        .rejected("limit/256-kib", sent, |d| d.pad_to(256 * 1024 + 1))
        .expected(413)
        .group(Group::Large)
        .level(Level::Info);
    let sent = "300 KiB, declared";
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
        ("chunks/one", "one chunk", 100_000, &[][..]),
        ("chunks/bytes", "a chunk for each byte", 1, one),
    ] {
        table
            .add(id, sent, |d| in_chunks(d, chunk_bytes, handled(d)))
            .group(Group::Basic)
            .level(Level::Should)
            .also_after(after);
    }
    table
        .add("chunks/200-kib", "200 KiB in chunks", |d| {
            d.pad_to(200 * 1024);
            in_chunks(d, 5000, handled(d))
        })
        .group(Group::Large)
        .level(Level::Info);
    let sent = "a byte more than 256 KiB, in chunks";
    table
        .add("chunks/limit", sent, |d| {
            d.pad_to(256 * 1024 + 1);
            in_chunks(d, 5000, Expected::Rejected(413))
        })
        .group(Group::Large)
        .level(Level::Info);
    let sent = "in chunks, with another secret";
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
    let sent = "another signature in a trailer, which does not count";
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
    table.add("chunks/cut", "a chunk that ends early", |d| {
        let mut request = d.head("Transfer-Encoding: chunked");
        request.extend_from_slice(b"ff\r\nhello");
        (
            vec![Step::Send(request), Step::Finish],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    table.add("length/cut", "a body that ends early", |d| {
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
        .add("length/two", "two lengths", |d| {
            let length = d.body.len();
            let mut request = d.head(&format!(
                "Content-Length: {length}\r\nContent-Length: {}",
                length - 1
            ));
            request.extend_from_slice(&d.body);
            last(request, Expected::RejectedOrClosed(400))
        })
        // A server may take the first one, and verify the whole body.
        .level(Level::Info);
    table
        .add("length/exabytes", "a length of exabytes", |d| {
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
    table.add("header/nul", "NUL in the signature", |d| {
        let signature = d.value(SIGNATURE);
        d.set(SIGNATURE, &format!("{signature}\0"));
        last(d.request(), Expected::RejectedOrClosed(400))
    });
    table
        .add("method/get", "a GET without signature", |d| {
            d.headers.clear();
            let head = String::from_utf8_lossy(&d.head("Connection: keep-alive"))
                .replacen("POST", "GET", 1)
                .into_bytes();
            (vec![Step::Send(head)], Expected::Rejected(401), true)
        })
        .group(Group::Basic)
        .level(Level::Info);
}

/// Requests that two servers may read in two ways. However a server reads them, the handler gets the
/// bytes that were verified.
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
    table.add("header/space-before-colon", "space before the colon", |d| {
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
    let sent = "a length and chunks, signed as chunks";
    plain(table, "length/and-signed-chunks", sent, |d| {
        let length = d.body.len();
        let both = d.head(&format!(
            "Content-Length: {length}\r\nTransfer-Encoding: chunked"
        ));
        let chunked = d.chunked(10_000);
        let body = chunked.windows(4).position(|end| end == b"\r\n\r\n");
        [both.as_slice(), &chunked[body.map_or(0, |at| at + 4)..]].concat()
    });
    plain(table, "length/twice", "the same length twice", |d| {
        let length = d.body.len();
        let head = d.head(&format!(
            "Content-Length: {length}\r\nContent-Length: {length}"
        ));
        [head, d.body.clone()].concat()
    });
    plain(table, "length/plus", "a length with a plus", |d| {
        let head = d.head(&format!("Content-Length: +{}", d.body.len()));
        [head, d.body.clone()].concat()
    });
    plain(table, "chunks/twice", "chunked, chunked", |d| {
        let chunked = String::from_utf8_lossy(&d.chunked(10_000)).into_owned();
        chunked
            .replacen("chunked", "chunked, chunked", 1)
            .into_bytes()
    });
    let sent = "a coding that is not quite chunked";
    plain(table, "chunks/another-coding", sent, |d| {
        let chunked = String::from_utf8_lossy(&d.chunked(10_000)).into_owned();
        chunked.replacen("chunked", "xchunked", 1).into_bytes()
    });
    plain(table, "chunks/0x", "the size of a chunk with 0x", |d| {
        let head = d.head("Transfer-Encoding: chunked");
        let chunk = format!(
            "0x{:x}\r\n{}\r\n0\r\n\r\n",
            d.body.len(),
            String::from_utf8_lossy(&d.body)
        );
        [head, chunk.into_bytes()].concat()
    });
    let sent = "a chunk of more than 2^64 bytes";
    plain(table, "chunks/overflow", sent, |d| {
        let head = d.head("Transfer-Encoding: chunked");
        let size = format!("1{:016x}", d.body.len());
        let chunk = format!(
            "{size}\r\n{}\r\n0\r\n\r\n",
            String::from_utf8_lossy(&d.body)
        );
        [head, chunk.into_bytes()].concat()
    });
    let sent = "another request hidden in the body";
    table.add("length/hidden-request", sent, |d| {
        // Shorter than what follows: the rest would be the next request, and is signed by nobody.
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

    let sent = "a stale delivery whose body comes later";
    table
        .add("wait/stale-body", sent, |d| {
            d.sign_at(d.now - 86_400);
            (body_later(d), Expected::Rejected(401), true)
        })
        .also_after(&["time/stale"]);
    let sent = "a stale delivery whose body comes later, on a connection that may close";
    table
        .add("wait/stale-body-closing", sent, |d| {
            d.sign_at(d.now - 86_400);
            (body_later(d), Expected::RejectedOrClosed(401), false)
        })
        .also_after(&["time/stale"]);
    let sent = "a genuine delivery whose body comes later";
    table.add("wait/genuine-body", sent, |d| {
        (body_later(d), handled(d), true)
    });
    let sent = "a stale delivery that expects 100 Continue";
    table
        .add("wait/stale-continue", sent, |d| {
            d.sign_at(d.now - 86_400);
            d.headers.push(("Expect", "100-continue".into()));
            last(d.head_with_length(), Expected::Rejected(401))
        })
        // Most servers ask for the body, and wait for it.
        .group(Group::Slow)
        .level(Level::Info);
    let sent = "a genuine delivery that expects 100 Continue";
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
        .add("limit/declared", "64 MiB, declared", |d| {
            let mut steps = vec![Step::Send(d.head("Content-Length: 67108864"))];
            steps.push(Step::Repeat(vec![b'x'; 1 << 20], 64));
            (steps, Expected::RejectedOrClosed(413), false)
        })
        .group(Group::Large)
        .level(Level::Should);
    table
        .add("limit/chunks", "64 MiB in chunks", |d| {
            let mut steps = vec![Step::Send(d.head("Transfer-Encoding: chunked"))];
            let chunk = [b"100000\r\n", &[b'x'; 1 << 20][..], b"\r\n"].concat();
            steps.push(Step::Repeat(chunk, 64));
            (steps, Expected::RejectedOrClosed(413), false)
        })
        .group(Group::Large)
        .level(Level::Should)
        .also_after(&["limit/declared", "chunks/one"]);
}

/// Flaws by which everything forged gets in.
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

    /// Adds a delivery that is genuine.
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

    /// Adds a delivery that is rejected with 401.
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

    /// Adds a delivery that is rejected because of the signature that replaces its own.
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

    /// Sets the ids of rows that explain a failure.
    fn after(&mut self, ids: &[&'static str]) -> &mut Self {
        self.after = ids.to_vec();
        self
    }

    fn also_after(&mut self, ids: &[&'static str]) -> &mut Self {
        self.after.extend_from_slice(ids);
        self
    }

    /// Expects another status than 401, with which a connection may end.
    fn expected(&mut self, status: u16) -> &mut Self {
        self.expected = Expected::Rejected(status);
        self.reusable = false;
        self
    }
}
