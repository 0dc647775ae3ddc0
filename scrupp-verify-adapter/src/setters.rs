/// Expands to the setters of `ScruppVerify`, for a type with a field `config`, an `Arc` of a `Config`.
///
/// `$name` is the adapter's crate. Examples that send requests differ between adapters, so each adapter
/// passes them as doc comments on the names of the setters.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    (
        $name:literal;
        $(#[$tolerance:meta])* tolerance;
        $(#[$body_limit:meta])* body_limit;
        $(#[$clock:meta])* clock;
        $(#[$dedup:meta])* dedup;
    ) => {
        fn with(config: Config) -> Self {
            let config = ::std::sync::Arc::new(config);
            Self { config }
        }

        fn set(mut self, set: impl FnOnce(&mut Config)) -> Self {
            set(::std::sync::Arc::make_mut(&mut self.config));
            self
        }

        /// Sets the window around the current time in which a timestamp is accepted.
        ///
        /// A delivery with a timestamp outside the window is rejected with 401. The default is 300 s
        /// into the past, because Scrupp's documentation recommends it, and 60 s into the future.
        /// Synchronized clocks differ by less than 60 s, and accepting more than that would extend the
        /// time in which a delivery can be replayed.
        ///
        /// # Security
        ///
        /// Without [`dedup`](Self::dedup), a recorded delivery can be replayed while its timestamp is
        /// inside the window: for up to 360 s by default, past and future together.
        ///
        /// # Examples
        ///
        $(#[$tolerance])*
        #[must_use]
        pub fn tolerance(self, tolerance: ::scrupp_verify_core::Tolerance) -> Self {
            self.set(|config| config.policy.tolerance = tolerance)
        }

        /// Sets the largest body that is accepted, in bytes.
        ///
        /// Rejects larger bodies with 413: before reading if `Content-Length` exceeds the limit,
        /// otherwise as soon as the received bytes exceed it. The default is 262,144 bytes
        /// (256 KiB). A documented event is about 200 bytes long, but `meta` may be large.
        ///
        /// # Examples
        ///
        $(#[$body_limit])*
        #[must_use]
        pub fn body_limit(self, bytes: usize) -> Self {
            self.set(|config| config.policy.body_limit = bytes)
        }

        /// Sets the timeout for receiving a whole body.
        ///
        /// A body that takes longer is rejected with 408. The default is 10 s, because Scrupp itself
        /// waits only a few seconds for a response. A client cannot extend the time by sending a byte at
        /// a time.
        ///
        /// An account lookup has the same timeout, before the body is read.
        ///
        /// # Examples
        ///
        /// ```
        /// use std::time::Duration;
        #[doc = ::core::concat!("use ", $name, "::{ScruppVerify, Secret};")]
        ///
        #[doc = ::core::concat!("# fn main() -> Result<(), ", $name, "::ConfigError> {")]
        /// let verify = ScruppVerify::new(Secret::new("topsecret")?)
        ///     .body_timeout(Duration::from_secs(5));
        /// # Ok(())
        /// # }
        /// ```
        #[must_use]
        pub fn body_timeout(self, timeout: ::core::time::Duration) -> Self {
            self.set(|config| config.body_timeout = timeout)
        }

        /// Limits the memory for unverified bodies across all connections, in bytes.
        ///
        /// The default is 67,108,864 bytes (64 MiB), enough for 256 bodies of the default body limit. A
        /// body of up to 16 KiB is not counted, and never waits. A larger body waits until the budget has
        /// room for its declared length, or for the body limit if no length is declared. If the body
        /// timeout expires first, the delivery is rejected with 503.
        ///
        /// Buffers of the server itself are not counted. Clones share one budget.
        ///
        /// # Examples
        ///
        /// ```
        #[doc = ::core::concat!("use ", $name, "::{ScruppVerify, Secret};")]
        ///
        #[doc = ::core::concat!("# fn main() -> Result<(), ", $name, "::ConfigError> {")]
        /// // At most 8 MiB, for a server with little memory.
        /// let verify = ScruppVerify::new(Secret::new("topsecret")?).buffer_budget(8 * 1024 * 1024);
        /// # Ok(())
        /// # }
        /// ```
        #[must_use]
        pub fn buffer_budget(self, bytes: usize) -> Self {
            self.set(|config| config.buffer_budget = $crate::Budget::new(bytes))
        }

        /// Replaces the system clock.
        ///
        /// If the clock returns `None`, every delivery is rejected with 503.
        ///
        /// # Examples
        ///
        $(#[$clock])*
        #[must_use]
        pub fn clock(
            self,
            clock: impl ::scrupp_verify_core::Clock + Send + Sync + 'static,
        ) -> Self {
            self.set(|config| config.clock = ::std::sync::Arc::new(clock))
        }

        /// Sets an [`Observer`](crate::Observer): a function that is called with each
        /// [`Observation`](crate::Observation), for example to count deliveries.
        ///
        /// By default, there is none. `MetricsObserver` of the crate `scrupp-verify-metrics` is an
        /// observer for the `metrics` facade.
        ///
        /// # Examples
        ///
        /// ```
        /// use std::sync::atomic::{AtomicU64, Ordering};
        #[doc = ::core::concat!("use ", $name, "::{Observation, ScruppVerify, Secret};")]
        ///
        /// static DUPLICATES: AtomicU64 = AtomicU64::new(0);
        ///
        #[doc = ::core::concat!("# fn main() -> Result<(), ", $name, "::ConfigError> {")]
        /// let verify = ScruppVerify::new(Secret::new("topsecret")?)
        ///     .observe(|observation: &Observation<'_>| {
        ///         if let Observation::Duplicate { .. } = observation {
        ///             DUPLICATES.fetch_add(1, Ordering::Relaxed);
        ///         }
        ///     });
        /// # Ok(())
        /// # }
        /// ```
        #[must_use]
        pub fn observe(self, observer: impl $crate::Observer) -> Self {
            self.set(|config| config.observe(observer))
        }

        /// Sets a store for acknowledged deliveries, so that each event is handled once.
        ///
        /// Takes a store, or a [`Dedup`](crate::Dedup) to change the lease, the retention, the scope,
        /// the store timeout or the id. By default, there is no store, and every attempt runs the
        /// handler.
        ///
        /// The adapter claims each verified delivery in the store before the handler runs:
        ///
        /// - If the handler responds with a 2xx, the delivery is acknowledged. Its duplicates get 200
        ///   with [`Duplicate`](crate::Duplicate) in the response's extensions, and the handler does
        ///   not run.
        /// - If the handler responds with anything else, the claim is released, and the next attempt
        ///   runs the handler again.
        /// - While an attempt is in flight, others are rejected with 503.
        /// - If the store fails before the handler runs, the delivery is rejected with 503.
        /// - If the store fails after a 2xx, the response stays a 2xx, and a later duplicate may run
        ///   the handler again.
        ///
        /// The delivery is acknowledged before the response's body is sent. If sending the body fails, the
        /// delivery stays acknowledged. Do the work before responding, and respond with a short body.
        ///
        /// Two `task.completed` events are duplicates if their account, process id and status are equal.
        /// Other deliveries are duplicates if their account and body are equal. In particular:
        ///
        /// - **The same event at two routes is a duplicate** if the routes share a store, because the
        ///   signature does not cover the path. Only one of the two handlers runs. To run both, give
        ///   each route a scope with [`Dedup::scope`](crate::Dedup::scope), or a store of its own.
        /// - **A repeated run of a process is a duplicate** if it ends with the same status within the
        ///   retention, a day by default. If your processes run repeatedly under one id, tell the runs
        ///   apart with [`Dedup::delivery_id`](crate::Dedup::delivery_id), for example by a field of
        ///   `meta` that you set for each run.
        ///
        /// The handler can extract its claim with `ScruppClaim`. With the claim, `SqlxStore` from
        /// the `scrupp-verify-sqlx` crate acknowledges the delivery in the same transaction as the effects
        /// of the handler.
        ///
        /// # Cancel safety
        ///
        /// If the server drops the handler because the client disconnected, the claim is released and
        /// a warning is logged. The next attempt runs the handler from its beginning. Put work that must
        /// not be interrupted into a spawned task or a queue.
        ///
        /// # Examples
        ///
        $(#[$dedup])*
        #[cfg(feature = "dedup")]
        #[must_use]
        pub fn dedup(self, dedup: impl Into<$crate::Dedup>) -> Self {
            self.set(|config| config.dedup = Some(dedup.into()))
        }
    };
}

/// Expands to the section "Responses", for the documentation of `ScruppVerify`.
#[doc(hidden)]
#[macro_export]
macro_rules! responses {
    () => {
        "\
# Responses

The response depends on the request:

| request | response |
|---|---|
| genuine delivery | the response of the inner service |
| duplicate of an acknowledged delivery, with [`dedup`](ScruppVerify::dedup) | 200, empty |
| header missing, repeated or malformed; timestamp outside the [`tolerance`](ScruppVerify::tolerance); no secret matches; no such account | 401 with `WWW-Authenticate` |
| body exceeds the [limit](ScruppVerify::body_limit), declared or received | 413 |
| body not complete [in time](ScruppVerify::body_timeout) | 408 |
| body stream broken | 400 |
| account lookup, clock, store or Tokio runtime unavailable; no [budget](ScruppVerify::buffer_budget) in time; same delivery in flight | 503 with `Retry-After` |
| genuine delivery that is not an event, if the handler extracts a `ScruppEvent` | 422 |
| handler extracts a `ScruppEvent` without a `ScruppVerify` around it, or a `ScruppClaim` without one that has a store | 500 |

Rejections with the same status have the same headers and the same body, an
`application/problem+json` document. The reason is in the log, and as a [`Rejection`] in the
response's extensions. [`on_rejection`](ScruppVerify::on_rejection) replaces the response.

Scrupp retries a delivery until the status is a 2xx. A 4xx from the handler does not stop the
retries, so respond with a 2xx to an event that the handler does not need."
    };
}
