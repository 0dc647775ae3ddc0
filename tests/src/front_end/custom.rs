use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use example_custom::{Answer, Receiver, serve_all};
use scrupp_verify_core::Verifier;

pub(super) fn start(keep: impl Fn(&[u8]) + Send + Sync + 'static) -> SocketAddr {
    let verifier = Verifier::new(super::keyring().expect("a keyring"));
    let receiver = Receiver::new(verifier, move |body| {
        keep(body);
        Answer::status(200)
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || serve_all(&listener, &Arc::new(receiver), |_, _| Answer::status(404)));
    address
}
