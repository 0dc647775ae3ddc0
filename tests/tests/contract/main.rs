//! The contract of the adapters: one test suite, compiled for tower and for actix-web.
//!
//! Behavior of only one adapter is tested in that adapter's package.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::duplicate_mod,
    reason = "the suite is compiled once for each adapter"
)]

mod store;
mod support;

mod tower {
    mod adapter;

    #[path = "../suite/bodies.rs"]
    mod bodies;
    #[path = "../suite/claims.rs"]
    mod claims;
    #[path = "../suite/observer.rs"]
    mod observer;
    #[path = "../suite/proof.rs"]
    mod proof;
    #[path = "../suite/rejections.rs"]
    mod rejections;
    #[path = "../suite/runtime.rs"]
    mod runtime;
}

mod actix {
    mod adapter;

    #[path = "../suite/bodies.rs"]
    mod bodies;
    #[path = "../suite/claims.rs"]
    mod claims;
    #[path = "../suite/observer.rs"]
    mod observer;
    #[path = "../suite/proof.rs"]
    mod proof;
    #[path = "../suite/rejections.rs"]
    mod rejections;
    #[path = "../suite/runtime.rs"]
    mod runtime;
}
