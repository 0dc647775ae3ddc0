/// Explanation of a failed check.
pub(crate) struct Advice {
    /// Reason why the check matters.
    pub(crate) why: &'static str,
    /// Pairs of framework and fix. An empty name stands for any framework.
    pub(crate) fix: &'static [(&'static str, &'static str)],
}

const VERIFY: &[(&str, &str)] = &[
    (
        "Express",
        "crypto.timingSafeEqual(Buffer.from(given, 'hex'), expected), after comparing the lengths",
    ),
    ("FastAPI", "hmac.compare_digest(given, expected)"),
    ("Laravel", "hash_equals($expected, $given)"),
    ("Go", "hmac.Equal(given, expected)"),
    (
        "axum",
        ".layer(ScruppVerify::new(secret)), from scrupp-verify-tower",
    ),
    (
        "actix-web",
        ".wrap(ScruppVerify::new(secret)), from scrupp-verify-actix",
    ),
];

const RAW_BODY: &[(&str, &str)] = &[
    (
        "Express",
        "express.raw({ type: '*/*' }) on the route, before express.json()",
    ),
    (
        "FastAPI",
        "await request.body(), then json.loads after verification",
    ),
    ("Laravel", "$request->getContent()"),
    ("Go", "io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))"),
    (
        "axum",
        "ScruppVerify around the handler, with no Json extractor outside it",
    ),
    (
        "actix-web",
        "ScruppVerify around the handler, with no web::Json outside it",
    ),
];

const LIMIT: &[(&str, &str)] = &[
    ("Express", "express.raw({ type: '*/*', limit: '256kb' })"),
    (
        "FastAPI",
        "count the bytes of request.stream(), and also limit the body in the proxy",
    ),
    (
        "Laravel",
        "post_max_size in PHP, and client_max_body_size in nginx",
    ),
    ("Go", "http.MaxBytesReader(w, r.Body, 256<<10)"),
    ("axum", "ScruppVerify::body_limit, by default 256 KiB"),
    ("actix-web", "ScruppVerify::body_limit, by default 256 KiB"),
];

const SLOW: &[(&str, &str)] = &[
    ("Express", "server.requestTimeout = 10_000"),
    ("FastAPI", "asyncio.timeout(10) around reading the body"),
    ("Laravel", "client_body_timeout in nginx"),
    ("Go", "http.Server{ReadTimeout: 10 * time.Second}"),
    ("axum", "ScruppVerify::body_timeout, by default 10 s"),
    ("actix-web", "ScruppVerify::body_timeout, by default 10 s"),
];

const ONCE: &[(&str, &str)] = &[
    (
        "Express",
        "INSERT ... ON CONFLICT DO NOTHING, keyed by event, process_id and status, in the same transaction \
         as the effects",
    ),
    (
        "FastAPI",
        "the same insert, in the same transaction as the effects",
    ),
    (
        "Laravel",
        "DB::table(...)->insertOrIgnore(...), in the same transaction as the effects",
    ),
    (
        "Go",
        "the same insert, in the same transaction as the effects",
    ),
    ("axum", "ScruppVerify::dedup(store)"),
    ("actix-web", "ScruppVerify::dedup(store)"),
];

/// Returns the advice for a check.
pub(crate) fn advice(id: &str) -> Advice {
    let (why, fix): (_, &[_]) = match id {
        "sig/another-secret" | "chunks/forged" => {
            ("Anyone who knows the URL can send events.", VERIFY)
        }
        "sig/prefix" | "sig/last-digit" | "sig/63-digits" | "sig/short" | "sig/empty"
        | "sig/prefix-alone" => (
            "If a receiver compares only part of the signature, an attacker can guess that part.",
            VERIFY,
        ),
        "mac/body-only" | "time/not-signed" => (
            "If the signature does not cover the timestamp, a recorded delivery can be replayed at any time.",
            &[(
                "",
                "Verify the signature of the timestamp, a dot and the raw body.",
            )],
        ),
        "raw-body/reserialized"
        | "raw-body/key-order"
        | "raw-body/spaced"
        | "raw-body/spacing"
        | "raw-body/whitespace" => (
            "The signature covers bytes. If a receiver parses and reserializes JSON first, genuine \
             deliveries fail, and some modified ones pass.",
            RAW_BODY,
        ),
        "time/missing" | "time/signed-empty" | "time/empty" => (
            "A delivery without a timestamp can be replayed at any time.",
            &[("", "Reject deliveries without X-Scrupp-Timestamp.")],
        ),
        "time/stale"
        | "time/window"
        | "time/first"
        | "wait/stale-body"
        | "wait/stale-body-closing"
        | "wait/stale-continue" => (
            "A recorded delivery can be replayed until its timestamp is too old.",
            &[(
                "",
                "After verifying the signature, reject timestamps that are more than 300 s old.",
            )],
        ),
        "time/future" | "time/ahead" | "time/last" => (
            "A delivery with a timestamp far ahead can be replayed until that time has passed.",
            &[("", "Reject timestamps that are more than 60 s ahead.")],
        ),
        "time/290-s-old" | "time/50-s-ahead" => (
            "Deliveries may be delayed, and clocks differ, so a receiver that tolerates less rejects \
             genuine deliveries.",
            &[(
                "",
                "Accept timestamps that are at most 300 s old and at most 60 s ahead.",
            )],
        ),
        "time/milliseconds" => (
            "Scrupp sends seconds. A receiver that also accepts milliseconds may read \
             one timestamp as either of two times.",
            &[("", "Read the timestamp as seconds only.")],
        ),
        "oracle/signature" => (
            "If the response contains the valid signature, anyone can sign deliveries.",
            &[("", "Log the details instead of sending them.")],
        ),
        "oracle/reason" => (
            "If the response shows which check failed, an attacker can tell whether a signature is valid.",
            &[(
                "",
                "Respond to every rejection with the same 401, and log the reason.",
            )],
        ),
        "status/rejected-2xx" => (
            "A 2xx acknowledges the delivery. After a rotation of the secret, every event would be \
             lost without an error.",
            &[("", "Respond with 401.")],
        ),
        "status/rejected-5xx" => (
            "A 5xx signals a failure of the receiver, so anyone could trigger alerts.",
            &[("", "Respond with 401 if a header is missing or malformed.")],
        ),
        "status/duplicate" => (
            "The sender retries after any status except 2xx.",
            &[("", "Respond to a duplicate with 200.")],
        ),
        "status/no-response" => (
            "Without a response, the sender cannot distinguish a rejection from an outage.",
            &[("", "Respond with 401 before closing the connection.")],
        ),
        "header/lower-case" | "header/mixed-case" => (
            "Header names are case-insensitive, and a proxy may change their case.",
            &[("", "Ignore the case of header names.")],
        ),
        "tls/https" => (
            "Without TLS, an attacker on the network can read events and record deliveries.",
            &[("", "Give Scrupp an https URL.")],
        ),
        _ => match id.split('/').next().unwrap_or_default() {
            "once" => (
                "If a response is lost, the sender repeats the delivery. Without deduplication, the \
                 effects happen twice.",
                ONCE,
            ),
            "limit" => (
                "Without a limit, one request can exhaust the memory.",
                LIMIT,
            ),
            "slow" => (
                "Without a timeout, slow clients can occupy every connection.",
                SLOW,
            ),
            "header" => (
                "If a header is repeated or malformed, a proxy and a receiver may read different values.",
                &[("", "Require each of the two headers exactly once.")],
            ),
            "genuine" | "body" | "wait" => (
                "If a genuine delivery is never acknowledged, the sender gives up, and the event is lost.",
                &[(
                    "",
                    "Record a delivery with `scrupp-verify listen --record FILE`. Then \
                     `scrupp-verify verify FILE` names the cause.",
                )],
            ),
            "chunks" | "length" | "head" | "method" => (
                "If a proxy and a receiver disagree on the end of a request, a client can smuggle a \
                 second request.",
                &[("", "Use the current version of a maintained HTTP server.")],
            ),
            "time" => (
                "Two programs may parse a malformed timestamp as different times.",
                &[(
                    "",
                    "Accept digits only, without a sign, a leading zero or a fraction.",
                )],
            ),
            _ => ("Unverified data must not reach the handler.", VERIFY),
        },
    };
    Advice { why, fix }
}
