//! All front ends give the same response to every request, and agree on whether the handler runs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};
use scrupp_verify_tests::{
    Connection, Delivery, FrontEnd, PREVIOUS_SECRET, SECRET, Server, Step, signed,
};
use tokio::runtime::Runtime;

/// A change to a genuine delivery.
#[derive(Clone, Debug)]
enum Change {
    SignWith(&'static str, i64),
    Header(&'static str, HeaderChange),
    Body(BodyChange),
}

#[derive(Clone, Debug)]
enum HeaderChange {
    Remove,
    Repeat,
    Replace(String),
    Mutate(usize, u8),
    Surround(&'static str),
    Append(&'static str),
}

#[derive(Clone, Debug)]
enum BodyChange {
    Flip(usize),
    Truncate(usize),
    Append(Vec<u8>),
    PadTo(usize),
}

/// The way that the body is sent.
#[derive(Clone, Debug)]
enum Framing {
    Length,
    Chunks(usize),
    CutShort(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let header = select(&["X-Scrupp-Signature", "X-Scrupp-Timestamp"]);
    let header_change = prop_oneof![
        Just(HeaderChange::Remove),
        Just(HeaderChange::Repeat),
        "[ -~]{0,80}".prop_map(HeaderChange::Replace),
        (any::<usize>(), 0x20..=0x7e_u8).prop_map(|(at, byte)| HeaderChange::Mutate(at, byte)),
        select(&[" ", "\t", "  \t"]).prop_map(HeaderChange::Surround),
        select(&["0", ",", " 1", ".0"]).prop_map(HeaderChange::Append),
    ];
    let offset = prop_oneof![
        -310..=310_i64,
        select(&[i64::MIN, -1_000_000, 1_000_000, i64::MAX])
    ];
    // Excludes the edges of the window, because the servers get the request one after another.
    let offset = offset.prop_filter("an edge", |o| {
        !(-310..-290).contains(o) && !(50..70).contains(o)
    });
    let body_change = prop_oneof![
        any::<usize>().prop_map(BodyChange::Flip),
        any::<usize>().prop_map(BodyChange::Truncate),
        vec(any::<u8>(), 1..20).prop_map(BodyChange::Append),
        (200_000..400_000_usize).prop_map(BodyChange::PadTo),
    ];
    let change = prop_oneof![
        2 => (select(&[SECRET, PREVIOUS_SECRET, "another"]), offset)
            .prop_map(|(secret, offset)| Change::SignWith(secret, offset)),
        3 => (header, header_change).prop_map(|(name, change)| Change::Header(name, change)),
        2 => body_change.prop_map(Change::Body),
    ];
    vec(change, 0..3)
}

fn framings() -> impl Strategy<Value = Framing> {
    prop_oneof![
        4 => Just(Framing::Length),
        3 => (1..5000_usize).prop_map(Framing::Chunks),
        1 => any::<usize>().prop_map(Framing::CutShort),
    ]
}

fn apply(change: &Change, delivery: &mut Delivery) {
    match change {
        Change::SignWith(secret, offset) => {
            let at = delivery.now.saturating_add_signed(*offset);
            delivery.sign_with(secret, at);
        }
        Change::Body(change) => {
            let length = delivery.body.len();
            match change {
                _ if length == 0 => {}
                BodyChange::Flip(at) => {
                    if let Some(byte) = delivery.body.get_mut(at % length) {
                        *byte ^= 1;
                    }
                }
                BodyChange::Truncate(to) => delivery.body.truncate(to % length),
                BodyChange::Append(bytes) => delivery.body.extend(bytes),
                BodyChange::PadTo(bytes) => delivery.pad_to((*bytes).max(length)),
            }
        }
        Change::Header(name, change) => {
            let here = delivery.headers.iter().position(|header| header.0 == *name);
            let Some(here) = here else { return };
            let (_, value) = delivery.headers.remove(here);
            match change {
                HeaderChange::Remove => return,
                HeaderChange::Repeat => delivery.headers.push((name, value.clone())),
                HeaderChange::Replace(_) | HeaderChange::Mutate(..) => {}
                HeaderChange::Surround(_) | HeaderChange::Append(_) => {}
            }
            let value = match change {
                HeaderChange::Replace(with) => with.clone(),
                HeaderChange::Surround(space) => format!("{space}{value}{space}"),
                HeaderChange::Append(more) => value + more,
                HeaderChange::Mutate(at, byte) if !value.is_empty() => {
                    let at = at % value.len();
                    let bytes = value.bytes().enumerate();
                    let bytes = bytes.map(|(i, old)| char::from(if i == at { *byte } else { old }));
                    bytes.collect()
                }
                _ => value,
            };
            delivery.headers.push((name, value));
        }
    }
}

fn steps(changes: &[Change], framing: &Framing, process_id: u64) -> Vec<Step> {
    let mut delivery = signed(process_id);
    // Signs before tampering. Otherwise a tampered body could be signed, with another process id.
    let (signing, tampering): (Vec<_>, Vec<_>) = changes.iter().partition(|change| {
        matches!(
            change,
            Change::SignWith(..) | Change::Body(BodyChange::PadTo(_))
        )
    });
    for change in signing.into_iter().chain(tampering) {
        apply(change, &mut delivery);
    }
    match framing {
        Framing::Length => vec![Step::Send(delivery.request())],
        Framing::Chunks(bytes) => vec![Step::Send(delivery.chunked(*bytes))],
        Framing::CutShort(at) => {
            let (mut request, head) = (delivery.request(), delivery.head_with_length().len());
            request.truncate(head + at % (request.len() - head).max(1));
            vec![Step::Send(request), Step::Finish]
        }
    }
}

/// Returns the status, or 400 if the server closes the connection, and the number of runs of the
/// handler.
async fn outcome(server: &Server, steps: &[Step], process_id: u64) -> (u16, usize) {
    let mut connection = Connection::open(server.address()).await.unwrap();
    connection.send(steps).await.unwrap();
    let status = connection
        .response()
        .await
        .map_or(400, |response| response.status);
    (status, server.handled(process_id).await.len())
}

#[test]
fn all_front_ends_agree_on_every_request() {
    let runtime = Runtime::new().unwrap();
    let servers: Vec<Server> = runtime.block_on(async {
        let mut servers = Vec::new();
        for front_end in FrontEnd::IN_PROCESS {
            servers.push(front_end.start().await);
        }
        servers
    });
    let process_ids = AtomicU64::new(20_000_000);
    let statuses = Mutex::new(BTreeMap::<u16, usize>::new());
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    });
    let checked = runner.run(&(changes(), framings()), |(changes, framing)| {
        let process_id = process_ids.fetch_add(1, Ordering::Relaxed);
        let steps = steps(&changes, &framing, process_id);
        let outcomes = servers.iter().map(|server| {
            let outcome = outcome(server, &steps, process_id);
            (server.front_end(), runtime.block_on(outcome))
        });
        let outcomes: Vec<_> = outcomes.collect();
        let (_, first) = outcomes[0];
        prop_assert!(
            outcomes.iter().all(|(_, other)| *other == first),
            "{outcomes:?}"
        );
        prop_assert_eq!(first.0 == 200, first.1 == 1);
        *statuses.lock().unwrap().entry(first.0).or_default() += 1;
        Ok(())
    });
    checked.unwrap();
    let statuses = statuses.into_inner().unwrap();
    println!("{statuses:?}");
    let seen: Vec<_> = statuses.keys().copied().collect();
    assert_eq!(seen, [200, 400, 401, 413], "statuses that occurred");
}
