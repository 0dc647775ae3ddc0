use core::time::Duration;

use crate::{
    Connection, Delivery, Expected, FrontEnd, PREVIOUS_SECRET, SECRET, Server, Step,
    delivery::{SIGNATURE, TIMESTAMP},
};

/// One line of the conformance table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row {
    /// What is special about the delivery.
    pub name: &'static str,
    /// What the client does.
    pub steps: Vec<Step>,
    /// The task that the delivery is about, in no other row.
    pub process_id: u64,
    /// What has to come of it.
    pub expected: Expected,
    /// Whether the connection has to be good for another delivery.
    pub reusable: bool,
    except: Option<Exception>,
}

/// Which front ends cannot do a row, and why.
type Exception = (fn(FrontEnd) -> bool, &'static str);

impl Row {
    /// Why this front end cannot do it, if it cannot.
    #[must_use]
    pub fn left_out_of(&self, front_end: FrontEnd) -> Option<&'static str> {
        let (applies, reason) = self.except?;
        applies(front_end).then_some(reason)
    }
}

/// More than the default limit of 256 KiB.
const TOO_LARGE_BYTES: usize = 300 * 1024;

/// The whole table for HTTP/1.1.
#[must_use]
pub fn http1_rows() -> Vec<Row> {
    let mut table = Table::default();
    signatures(&mut table);
    headers(&mut table);
    times(&mut table);
    bodies(&mut table);
    framings(&mut table);
    tricks(&mut table);
    connections(&mut table);
    table.rows
}

fn signatures(table: &mut Table) {
    table.genuine("genuine, completed", |_| {});
    table.genuine("genuine, failed", |d| {
        d.body = format!(
            r#"{{"event":"task.completed","process_id":{},"status":"failed","error":"No"}}"#,
            d.process_id
        )
        .into();
        d.sign();
    });
    table.genuine("signed with the previous secret", |d| {
        d.sign_with(PREVIOUS_SECRET, d.now)
    });
    table.genuine("hex digits in upper case", |d| {
        let digits = d
            .value(SIGNATURE)
            .trim_start_matches("sha256=")
            .to_uppercase();
        d.set(SIGNATURE, &format!("sha256={digits}"));
    });
    table.rejected("signed with another secret", 401, |d| {
        d.sign_with("another", d.now)
    });
    table.rejected("body tampered with", 401, |d| d.body.push(b' '));
    table.rejected("body cut short", 401, |d| {
        d.body.pop();
    });
    table.rejected("timestamp tampered with", 401, |d| {
        d.set(TIMESTAMP, &(d.now - 1).to_string());
    });
    for (name, change) in [
        (
            "one hex digit changed",
            flip_last_digit as fn(&str) -> String,
        ),
        ("63 hex digits", |s| s[..s.len() - 1].into()),
        ("65 hex digits", |s| format!("{s}0")),
        ("no prefix", |s| s.replace("sha256=", "")),
        ("prefix in upper case", |s| s.replace("sha256", "SHA256")),
        ("another prefix", |s| s.replace("sha256", "sha1")),
        ("empty signature", |_| String::new()),
        ("signatures joined by a comma", |s| format!("{s}, {s}")),
    ] {
        table.rejected(name, 401, |d| {
            let changed = change(&d.value(SIGNATURE));
            d.set(SIGNATURE, &changed);
        });
    }
}

fn flip_last_digit(signature: &str) -> String {
    let (rest, last) = signature.split_at(signature.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

fn headers(table: &mut Table) {
    table.genuine("header names in lower case", |d| {
        for (name, _) in &mut d.headers {
            *name = if *name == SIGNATURE {
                "x-scrupp-signature"
            } else {
                "x-scrupp-timestamp"
            };
        }
    });
    table.genuine("space and tab around the values", |d| {
        for (_, value) in &mut d.headers {
            *value = format!(" \t{value}\t ");
        }
    });
    for name in [SIGNATURE, TIMESTAMP] {
        let [missing, twice, differing] = match name {
            SIGNATURE => ["signature missing", "signature twice", "two signatures"],
            _ => ["timestamp missing", "timestamp twice", "two timestamps"],
        };
        table.rejected(missing, 401, |d| {
            d.headers.retain(|header| header.0 != name)
        });
        table.rejected(twice, 401, |d| d.headers.push((name, d.value(name))));
        table.rejected(differing, 401, |d| d.headers.insert(0, (name, "1".into())));
    }
    table.rejected("no headers at all", 401, |d| d.headers.clear());
    table.rejected("underscores for dashes", 401, |d| {
        d.headers[0].0 = "X_Scrupp_Signature";
    });
    table.rejected("8 KiB of signature", 401, |d| {
        d.set(SIGNATURE, &"sha256=".repeat(1170))
    });
    table.rejected("40 signatures", 401, |d| {
        d.headers
            .extend((0..39).map(|_| (SIGNATURE, "x".to_owned())));
    });
}

fn times(table: &mut Table) {
    table.genuine("290 s old", |d| d.sign_with(SECRET, d.now - 290));
    table.genuine("50 s ahead", |d| d.sign_with(SECRET, d.now + 50));
    table.rejected("301 s old", 401, |d| d.sign_with(SECRET, d.now - 301));
    table.rejected("70 s ahead", 401, |d| d.sign_with(SECRET, d.now + 70));
    table.rejected("in milliseconds", 401, |d| {
        d.sign_with(SECRET, d.now * 1000)
    });
    table.rejected("at the end of time", 401, |d| d.sign_with(SECRET, u64::MAX));
    table.rejected("at its beginning", 401, |d| d.sign_with(SECRET, 1));
    for (name, change) in [
        (
            "a plus before the time",
            (|t| format!("+{t}")) as fn(&str) -> String,
        ),
        ("a zero before the time", |t| format!("0{t}")),
        ("a minus before the time", |t| format!("-{t}")),
        ("a fraction", |t| format!("{t}.0")),
        ("times joined by a comma", |t| format!("{t},{t}")),
        ("2^64 seconds", |_| "18446744073709551616".into()),
        ("empty time", |_| String::new()),
    ] {
        table.rejected(name, 401, |d| {
            // Signed as it stands there: only the form is wrong.
            let changed = change(&d.value(TIMESTAMP));
            d.set(TIMESTAMP, &changed);
        });
    }
}

fn bodies(table: &mut Table) {
    let no_event = "an example answers 422 to what is no event";
    table.genuine("256 KiB, the limit", |d| d.pad_to(256 * 1024));
    table.genuine("200 KiB", |d| d.pad_to(200 * 1024));
    table.genuine("invalid UTF-8", |d| {
        d.body.extend(b"\xff\xfe\x00");
        d.sign();
    });
    table.except(|front_end| !front_end.keeps_bodies(), no_event);
    table.genuine("compressed, as it is on the wire", |d| {
        d.headers.push(("Content-Encoding", "gzip".into()));
    });
    // Only that the bytes are left alone: they are no gzip.
    table.except(
        |front_end| front_end == FrontEnd::Example("example-actix"),
        "its extractor decompresses what it is given",
    );
    table.genuine("a content type of its own", |d| {
        d.headers.push(("Content-Type", "text/plain".into()));
    });
    table.rejected("256 KiB and a byte, declared", 413, |d| {
        d.pad_to(256 * 1024 + 1)
    });
    table.rejected("far too large, declared, and sent", 413, |d| {
        d.pad_to(TOO_LARGE_BYTES)
    });
    table.rejected("empty body, signed otherwise", 401, |d| d.body.clear());
}

fn framings(table: &mut Table) {
    table.chunked_genuine("one chunk", 100_000, |_| {});
    table.chunked_genuine("a byte a chunk", 1, |_| {});
    table.chunked_genuine("200 KiB in chunks", 5000, |d| d.pad_to(200 * 1024));
    table.chunked_rejected("256 KiB and a byte, in chunks", 413, 5000, |d| {
        d.pad_to(256 * 1024 + 1)
    });
    table.chunked_rejected("chunked and forged", 401, 7, |d| {
        d.sign_with("another", d.now)
    });

    table.add("chunk extensions", |d| {
        let mut request = d.head("Transfer-Encoding: chunked");
        request.extend(format!("{:x};name=value\r\n", d.body.len()).bytes());
        request.extend_from_slice(&d.body);
        request.extend_from_slice(b"\r\n0\r\n\r\n");
        (
            vec![Step::Send(request)],
            Expected::Handled(d.body.clone()),
            true,
        )
    });
    table.add("the signature in a trailer", |d| {
        let headers = core::mem::take(&mut d.headers);
        let mut request = d.head("Transfer-Encoding: chunked\r\nTrailer: X-Scrupp-Signature");
        request.extend(format!("{:x}\r\n", d.body.len()).bytes());
        request.extend_from_slice(&d.body);
        request.extend_from_slice(b"\r\n0\r\n");
        for (name, value) in headers {
            request.extend(format!("{name}: {value}\r\n").bytes());
        }
        request.extend_from_slice(b"\r\n");
        (
            vec![Step::Send(request)],
            Expected::RejectedOrClosed(401),
            false,
        )
    });
    table.add(
        "another signature in a trailer, which does not count",
        |d| {
            let mut request = d.head("Transfer-Encoding: chunked");
            request.extend(format!("{:x}\r\n", d.body.len()).bytes());
            request.extend_from_slice(&d.body);
            request.extend_from_slice(b"\r\n0\r\nX-Scrupp-Signature: sha256=00\r\n\r\n");
            (
                vec![Step::Send(request)],
                Expected::Handled(d.body.clone()),
                false,
            )
        },
    );
    table.except(FrontEnd::is_actix, "actix-web's parser takes no trailers");
    table.add("a malformed chunk", |d| {
        let mut request = d.head("Transfer-Encoding: chunked");
        request.extend_from_slice(b"5\r\nhello\r\nxyz\r\nmore");
        (
            vec![Step::Send(request)],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    table.add("a chunk that ends early", |d| {
        let mut request = d.head("Transfer-Encoding: chunked");
        request.extend_from_slice(b"ff\r\nhello");
        (
            vec![Step::Send(request), Step::Finish],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    table.add("a body that ends early", |d| {
        let mut request = d.request();
        request.truncate(request.len() - 5);
        (
            vec![Step::Send(request), Step::Finish],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    table.add("Content-Length and Transfer-Encoding", |d| {
        let length = d.body.len();
        let mut request = d.head(&format!(
            "Content-Length: {length}\r\nTransfer-Encoding: chunked"
        ));
        request.extend_from_slice(b"0\r\n\r\n");
        (
            vec![Step::Send(request)],
            Expected::RejectedOrClosed(401),
            false,
        )
    });
    table.add("two lengths", |d| {
        let length = d.body.len();
        let mut request = d.head(&format!(
            "Content-Length: {length}\r\nContent-Length: {}",
            length - 1
        ));
        request.extend_from_slice(&d.body);
        (
            vec![Step::Send(request)],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    table.add("a length that would reserve exabytes", |d| {
        let request = d.head("Content-Length: 4611686018427387904");
        (vec![Step::Send(request)], Expected::Rejected(413), false)
    });
    table.add("a folded header", |d| {
        let (time, signature) = (d.value(TIMESTAMP), d.value(SIGNATURE));
        d.headers = vec![
            (TIMESTAMP, time),
            (SIGNATURE, format!("sha256=\r\n {}", &signature[7..])),
        ];
        (
            vec![Step::Send(d.request())],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    table.add("NUL in the signature", |d| {
        let signature = d.value(SIGNATURE);
        d.set(SIGNATURE, &format!("{signature}\0"));
        (
            vec![Step::Send(d.request())],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    table.add("a GET", |d| {
        d.headers.clear();
        let request = b"GET /webhooks/scrupp HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
        (vec![Step::Send(request)], Expected::Rejected(401), true)
    });
    table.except(
        |front_end| !front_end.keeps_bodies(),
        "only POST is routed to verification",
    );
}

/// What is meant to be read in two ways. Whatever a server takes for a request, the handler gets
/// the bytes that were verified.
fn tricks(table: &mut Table) {
    let plain = |table: &mut Table, name, request: fn(&mut Delivery) -> Vec<u8>| {
        table.add(name, |d| {
            let request = request(d);
            let expected = Expected::HandledOrNot(d.body.clone());
            (vec![Step::Send(request)], expected, false)
        });
    };
    table.genuine("header names in mixed case", |d| {
        for (name, _) in &mut d.headers {
            *name = if *name == SIGNATURE {
                "x-sCrUpP-sIgNaTuRe"
            } else {
                "X-sCRUPP-tIMESTAMP"
            };
        }
    });
    table.rejected("underscores in place of dashes", 401, |d| {
        for (name, _) in &mut d.headers {
            *name = if *name == SIGNATURE {
                "X_Scrupp_Signature"
            } else {
                "X_Scrupp_Timestamp"
            };
        }
    });
    table.add("100 signatures", |d| {
        d.headers
            .extend((0..99).map(|_| (SIGNATURE, "x".to_owned())));
        (
            vec![Step::Send(d.request())],
            Expected::RejectedOrClosed(431),
            false,
        )
    });
    table.add("space before the colon", |d| {
        for (name, _) in &mut d.headers {
            *name = if *name == SIGNATURE {
                "X-Scrupp-Signature "
            } else {
                "X-Scrupp-Timestamp "
            };
        }
        (
            vec![Step::Send(d.request())],
            Expected::RejectedOrClosed(400),
            false,
        )
    });
    plain(table, "bare line feeds in the head", |d| {
        let head = d.head_with_length();
        let head = head.into_iter().filter(|byte| *byte != b'\r');
        head.chain(d.body.clone()).collect()
    });
    plain(table, "bare line feeds between chunks", |d| {
        let head = d.head("Transfer-Encoding: chunked");
        let chunks = format!(
            "{:x}\n{}\n0\n\n",
            d.body.len(),
            String::from_utf8_lossy(&d.body)
        );
        [head, chunks.into_bytes()].concat()
    });
    plain(table, "a length and chunks, signed as chunks", |d| {
        let length = d.body.len();
        let both = d.head(&format!(
            "Content-Length: {length}\r\nTransfer-Encoding: chunked"
        ));
        let chunked = d.chunked(10_000);
        let body = chunked.windows(4).position(|end| end == b"\r\n\r\n");
        [both.as_slice(), &chunked[body.map_or(0, |at| at + 4)..]].concat()
    });
    plain(table, "the same length twice", |d| {
        let length = d.body.len();
        let head = d.head(&format!(
            "Content-Length: {length}\r\nContent-Length: {length}"
        ));
        [head, d.body.clone()].concat()
    });
    plain(table, "a length with a plus", |d| {
        let head = d.head(&format!("Content-Length: +{}", d.body.len()));
        [head, d.body.clone()].concat()
    });
    plain(table, "chunked twice", |d| {
        let chunked = String::from_utf8_lossy(&d.chunked(10_000)).into_owned();
        chunked
            .replacen("chunked", "chunked, chunked", 1)
            .into_bytes()
    });
    plain(table, "a coding that is not quite chunked", |d| {
        let chunked = String::from_utf8_lossy(&d.chunked(10_000)).into_owned();
        chunked.replacen("chunked", "xchunked", 1).into_bytes()
    });
    plain(table, "a chunk's size with 0x", |d| {
        let head = d.head("Transfer-Encoding: chunked");
        let chunk = format!(
            "0x{:x}\r\n{}\r\n0\r\n\r\n",
            d.body.len(),
            String::from_utf8_lossy(&d.body)
        );
        [head, chunk.into_bytes()].concat()
    });
    plain(table, "a chunk's size of 2^64 and more", |d| {
        let head = d.head("Transfer-Encoding: chunked");
        let size = format!("1{:016x}", d.body.len());
        let chunk = format!(
            "{size}\r\n{}\r\n0\r\n\r\n",
            String::from_utf8_lossy(&d.body)
        );
        [head, chunk.into_bytes()].concat()
    });
    table.add("another request hidden in the body", |d| {
        // Shorter than what follows: the rest would be the next request, and is signed by nobody.
        let hidden = Delivery::new(d.process_id + 900_000);
        d.sign_with("another", d.now);
        let request = [d.request(), hidden.head("Content-Length: 0")].concat();
        (vec![Step::Send(request)], Expected::Rejected(401), false)
    });
}

fn connections(table: &mut Table) {
    const MOMENT: Duration = Duration::from_millis(100);

    table.add("a stale delivery whose body comes later", |d| {
        d.sign_with(SECRET, d.now - 1000);
        let (head, body) = (d.head_with_length(), d.body.clone());
        let steps = vec![Step::Send(head), Step::Wait(MOMENT), Step::Send(body)];
        (steps, Expected::Rejected(401), true)
    });
    table.except(
        FrontEnd::is_actix,
        "actix-web closes a connection if it answers while a body is still to come",
    );
    table.add(
        "a stale delivery whose body comes later, on a connection that may close",
        |d| {
            d.sign_with(SECRET, d.now - 1000);
            let (head, body) = (d.head_with_length(), d.body.clone());
            let steps = vec![Step::Send(head), Step::Wait(MOMENT), Step::Send(body)];
            (steps, Expected::Rejected(401), false)
        },
    );
    table.add("a genuine delivery whose body comes later", |d| {
        let (head, body) = (d.head_with_length(), d.body.clone());
        let steps = vec![
            Step::Send(head),
            Step::Wait(MOMENT),
            Step::Send(body.clone()),
        ];
        (steps, Expected::Handled(body), true)
    });
    table.add(
        "a stale delivery that waits to be asked for its body",
        |d| {
            d.sign_with(SECRET, d.now - 1000);
            d.headers.push(("Expect", "100-continue".into()));
            (
                vec![Step::Send(d.head_with_length())],
                Expected::Rejected(401),
                false,
            )
        },
    );
    table.except(
        FrontEnd::is_actix,
        "actix-web asks for every body itself, before any middleware is called",
    );
    table.add(
        "a genuine delivery that waits to be asked for its body",
        |d| {
            d.headers.push(("Expect", "100-continue".into()));
            let (head, body) = (d.head_with_length(), d.body.clone());
            let steps = vec![
                Step::Send(head),
                Step::AwaitContinue,
                Step::Send(body.clone()),
            ];
            (steps, Expected::Handled(body), true)
        },
    );
    table.add("a genuine head, and a body that stalls", |d| {
        let mut request = d.request();
        request.truncate(request.len() - 5);
        (vec![Step::Send(request)], Expected::Rejected(408), false)
    });
    table.add("a body that trickles", |d| {
        let head = d.head_with_length();
        let bytes = d.body.iter().take(14);
        let trickle =
            bytes.flat_map(|byte| [Step::Wait(Duration::from_secs(1)), Step::Send(vec![*byte])]);
        let steps = core::iter::once(Step::Send(head)).chain(trickle).collect();
        (steps, Expected::Rejected(408), false)
    });
    table.add("a huge upload", |d| {
        let mut steps = vec![Step::Send(d.head("Content-Length: 67108864"))];
        steps.extend((0..64).map(|_| Step::Send(vec![b'x'; 1 << 20])));
        (steps, Expected::RejectedOrClosed(413), false)
    });
    table.add("a huge upload in chunks", |d| {
        let mut steps = vec![Step::Send(d.head("Transfer-Encoding: chunked"))];
        let chunk = [b"100000\r\n", &[b'x'; 1 << 20][..], b"\r\n"].concat();
        steps.extend((0..64).map(|_| Step::Send(chunk.clone())));
        (steps, Expected::RejectedOrClosed(413), false)
    });
}

#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

impl Table {
    fn add(
        &mut self,
        name: &'static str,
        row: impl FnOnce(&mut Delivery) -> (Vec<Step>, Expected, bool),
    ) {
        let mut delivery = Delivery::new(1000 + self.rows.len() as u64);
        let (steps, expected, reusable) = row(&mut delivery);
        self.rows.push(Row {
            name,
            steps,
            process_id: delivery.process_id,
            expected,
            reusable,
            except: None,
        });
    }

    /// Makes an exception of the row that was added last.
    fn except(&mut self, front_ends: fn(FrontEnd) -> bool, reason: &'static str) {
        if let Some(row) = self.rows.last_mut() {
            row.except = Some((front_ends, reason));
        }
    }

    fn genuine(&mut self, name: &'static str, change: impl FnOnce(&mut Delivery)) {
        self.add(name, |d| {
            change(d);
            (
                vec![Step::Send(d.request())],
                Expected::Handled(d.body.clone()),
                true,
            )
        });
    }

    fn rejected(&mut self, name: &'static str, status: u16, change: impl FnOnce(&mut Delivery)) {
        self.add(name, |d| {
            change(d);
            (
                vec![Step::Send(d.request())],
                Expected::Rejected(status),
                status == 401,
            )
        });
    }

    fn chunked_genuine(
        &mut self,
        name: &'static str,
        chunk_bytes: usize,
        change: impl FnOnce(&mut Delivery),
    ) {
        self.add(name, |d| {
            change(d);
            (
                vec![Step::Send(d.chunked(chunk_bytes))],
                Expected::Handled(d.body.clone()),
                true,
            )
        });
    }

    fn chunked_rejected(
        &mut self,
        name: &'static str,
        status: u16,
        chunk_bytes: usize,
        change: impl FnOnce(&mut Delivery),
    ) {
        self.add(name, |d| {
            change(d);
            let steps = vec![Step::Send(d.chunked(chunk_bytes))];
            (steps, Expected::Rejected(status), status == 401)
        });
    }
}

/// Sends a row's delivery, and says what is not as it has to be.
///
/// # Errors
///
/// A text for the one who reads the failing test.
pub async fn check(row: &Row, server: &Server) -> Result<(), String> {
    let connection = Connection::open(server.address()).await;
    let mut connection = connection.map_err(|error| format!("connecting: {error}"))?;
    let sent = connection.send(&row.steps).await;
    sent.map_err(|error| format!("sending: {error}"))?;
    let response = connection.response().await;
    row.expected
        .check(response, &server.handled(row.process_id).await)?;

    if row.reusable {
        let next = Delivery::new(row.process_id + 500_000);
        let sent = connection.send(&[Step::Send(next.request())]).await;
        sent.map_err(|error| format!("sending on the same connection: {error}"))?;
        let status = connection.response().await.map(|response| response.status);
        if !matches!(status, Ok(200)) {
            return Err(format!("a delivery on the same connection got {status:?}"));
        }
    }
    Ok(())
}
