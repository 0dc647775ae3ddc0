/// Why a check matters, and how to mend a receiver that fails it.
pub(crate) struct Advice {
    pub(crate) why: &'static str,
    /// Mends, by framework. An empty name stands for any.
    pub(crate) fix: &'static [(&'static str, &'static str)],
}

const VERIFY: &[(&str, &str)] = &[
    (
        "Express",
        "crypto.timingSafeEqual(Buffer.from(given, 'hex'), expected), after a check of the length",
    ),
    ("FastAPI", "hmac.compare_digest(given, expected)"),
    ("Laravel", "hash_equals($expected, $given)"),
    ("Go", "hmac.Equal(given, expected)"),
    (
        "axum",
        ".layer(ScruppVerify::new(secret)) of scrupp-verify-tower",
    ),
    (
        "actix-web",
        ".wrap(ScruppVerify::new(secret)) of scrupp-verify-actix",
    ),
];

const RAW_BODY: &[(&str, &str)] = &[
    (
        "Express",
        "express.raw({ type: '*/*' }) on the route, before express.json()",
    ),
    (
        "FastAPI",
        "await request.body(), and json.loads after verifying",
    ),
    ("Laravel", "$request->getContent()"),
    ("Go", "io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))"),
    (
        "axum",
        "ScruppVerify in front of the handler, and no Json extractor before it",
    ),
    (
        "actix-web",
        "ScruppVerify in front of the handler, and no web::Json before it",
    ),
];

const LIMIT: &[(&str, &str)] = &[
    ("Express", "express.raw({ type: '*/*', limit: '256kb' })"),
    (
        "FastAPI",
        "count the bytes of request.stream(), and limit the body in the proxy too",
    ),
    (
        "Laravel",
        "post_max_size of PHP, and client_max_body_size of nginx",
    ),
    ("Go", "http.MaxBytesReader(w, r.Body, 256<<10)"),
    ("axum", "ScruppVerify's body_limit, by default 256 KiB"),
    ("actix-web", "ScruppVerify's body_limit, by default 256 KiB"),
];

const SLOW: &[(&str, &str)] = &[
    ("Express", "server.requestTimeout = 10_000"),
    (
        "FastAPI",
        "asyncio.timeout(10) around the reading of the body",
    ),
    ("Laravel", "client_body_timeout of nginx, in front"),
    ("Go", "http.Server{ReadTimeout: 10 * time.Second}"),
    ("axum", "ScruppVerify's body_timeout, by default 10 s"),
    ("actix-web", "ScruppVerify's body_timeout, by default 10 s"),
];

const ONCE: &[(&str, &str)] = &[
    (
        "Express",
        "INSERT ... ON CONFLICT DO NOTHING of event, process_id and status, in the transaction of the effects",
    ),
    (
        "FastAPI",
        "the same insert, in the transaction of the effects",
    ),
    (
        "Laravel",
        "DB::table(...)->insertOrIgnore(...), in the transaction of the effects",
    ),
    ("Go", "the same insert, in the transaction of the effects"),
    ("axum", ".dedup(store) of ScruppVerify"),
    ("actix-web", ".dedup(store) of ScruppVerify"),
];

/// Returns the advice for a check.
pub(crate) fn advice(id: &str) -> Advice {
    let (why, fix): (_, &[_]) = match id {
        "sig/another-secret" => ("Anyone who knows the URL can send events.", VERIFY),
        "sig/prefix" | "sig/last-digit" | "sig/63-digits" | "sig/short" | "sig/empty"
        | "sig/prefix-alone" => (
            "A signature of which only a part counts can be guessed digit by digit.",
            VERIFY,
        ),
        "mac/body-only" | "time/not-signed" => (
            "If the timestamp is not signed, a recorded delivery can be sent again at any time.",
            &[("", "Sign and verify the timestamp, a dot and the raw body.")],
        ),
        "raw-body/reserialised"
        | "raw-body/key-order"
        | "raw-body/spacing"
        | "raw-body/whitespace" => (
            "What was signed are bytes. JSON that was parsed and written again differs for genuine \
             deliveries, and may hide changes in forged ones.",
            RAW_BODY,
        ),
        "time/missing" | "time/signed-empty" | "time/empty" => (
            "A delivery without a timestamp is not limited by the window.",
            &[("", "Reject deliveries without X-Scrupp-Timestamp.")],
        ),
        "time/stale" | "time/window" | "time/first" => (
            "A recorded delivery can be sent again for as long as the window lasts.",
            &[(
                "",
                "Reject timestamps of more than 300 s ago, after verifying the signature.",
            )],
        ),
        "time/future" | "time/ahead" | "time/last" => (
            "A timestamp far ahead stays valid until its time has come and the window has passed.",
            &[("", "Reject timestamps of more than 60 s ahead.")],
        ),
        "time/milliseconds" => (
            "Scrupp sends seconds. A receiver that guesses the unit has a second window.",
            &[("", "Read the timestamp as seconds only.")],
        ),
        "oracle/signature" => (
            "A response with the right signature signs deliveries for anyone.",
            &[("", "Respond without details, and log them instead.")],
        ),
        "oracle/reason" => (
            "A sender who learns which check failed can tell a right signature from a wrong one.",
            &[(
                "",
                "Respond to all of them with the same 401, and log the reason.",
            )],
        ),
        "status/rejected-2xx" => (
            "The sender takes a 2xx for an acknowledgement: after a rotation of the secret, every \
             event is lost without a sign.",
            &[("", "Respond with 401.")],
        ),
        "status/rejected-5xx" => (
            "A 5xx tells that the receiver is broken: it alarms operators, and anyone can cause it.",
            &[(
                "",
                "Check that the headers are there before using them, and respond with 401.",
            )],
        ),
        "status/duplicate" => (
            "The sender takes anything but a 2xx for a failure, and goes on sending.",
            &[("", "Respond to a duplicate with 200.")],
        ),
        "tls/https" => (
            "Without TLS, anyone on the way reads the events and can hold them back.",
            &[("", "Give Scrupp an https URL.")],
        ),
        _ => match id.split('/').next().unwrap_or_default() {
            "once" => (
                "Deliveries are repeated when a response is lost. Without a record of them, the effects \
                 happen twice.",
                ONCE,
            ),
            "limit" => ("Without a limit, one request can fill the memory.", LIMIT),
            "slow" => (
                "Without a time-out, slow senders hold every connection.",
                SLOW,
            ),
            "header" => (
                "A proxy and a receiver may read different values of a header that is repeated or \
                 malformed.",
                &[("", "Require each of the two headers exactly once.")],
            ),
            "genuine" | "body" | "wait" => (
                "A genuine delivery that is not acknowledged is sent again for a day, and then lost.",
                &[(
                    "",
                    "Record it with `scrupp-verify listen --record FILE`; `scrupp-verify verify` names \
                     the cause.",
                )],
            ),
            "chunks" | "length" | "head" | "method" => (
                "A proxy and a receiver that disagree on where a request ends let a sender smuggle \
                 another one in.",
                &[(
                    "",
                    "Use an HTTP server that is maintained, of its current version.",
                )],
            ),
            "time" => (
                "Two programs may read different times.",
                &[(
                    "",
                    "Accept digits only, without a sign, a leading zero or a fraction.",
                )],
            ),
            _ => ("What is not signed must not reach the handler.", VERIFY),
        },
    };
    Advice { why, fix }
}
