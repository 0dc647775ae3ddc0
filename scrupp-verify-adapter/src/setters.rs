/// The setters that every `ScruppVerify` has, for a type with a field `config`, an `Arc` of a `Config`.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    () => {
        fn with(config: Config) -> Self {
            let config = ::std::sync::Arc::new(config);
            Self { config }
        }

        fn set(mut self, set: impl FnOnce(&mut Config)) -> Self {
            set(::std::sync::Arc::make_mut(&mut self.config));
            self
        }

        /// Sets the window that timestamps are accepted in, by default 300 s into the past and
        /// 60 s into the future.
        ///
        /// # Security
        ///
        /// Without duplicate handling, a recorded delivery can be replayed for as long as the
        /// past tolerance.
        #[must_use]
        pub fn tolerance(self, tolerance: ::scrupp_verify_core::Tolerance) -> Self {
            self.set(|config| config.policy.tolerance = tolerance)
        }

        /// Sets the largest body that is accepted, by default 262,144 bytes (256 KiB): a
        /// documented event has about 200 bytes, and the rest is room for `meta`.
        ///
        /// Rejects larger bodies with 413: before reading if `Content-Length` exceeds the limit,
        /// otherwise as soon as the received bytes exceed it.
        #[must_use]
        pub fn body_limit(self, bytes: usize) -> Self {
            self.set(|config| config.policy.body_limit = bytes)
        }

        /// Sets how long a body may take until it is complete, by default 10 s. The time is for
        /// the whole body, so a client cannot hold a connection by sending a byte at a time.
        ///
        /// Rejects a body that takes longer with 408. An account lookup may take as long, before the
        /// body is read.
        #[must_use]
        pub fn body_timeout(self, timeout: ::core::time::Duration) -> Self {
            self.set(|config| config.body_timeout = timeout)
        }

        /// Sets how many bytes of unverified bodies may be held at once, over all connections, by
        /// default 67,108,864 (64 MiB).
        ///
        /// A body of up to 16 KiB is not counted. A larger one waits until its declared length is
        /// available, or the body limit if it declares none. If the body time-out passes before,
        /// the delivery is rejected with 503. What the server itself buffers is not counted.
        #[must_use]
        pub fn buffer_budget(self, bytes: usize) -> Self {
            self.set(|config| config.buffer_budget = $crate::Budget::new(bytes))
        }

        /// Replaces the system clock. If the clock returns `None`, every delivery is rejected with
        /// 503.
        #[must_use]
        pub fn clock(
            self,
            clock: impl ::scrupp_verify_core::Clock + Send + Sync + 'static,
        ) -> Self {
            self.set(|config| config.clock = ::std::sync::Arc::new(clock))
        }

        /// Sets an [`Observer`]($crate::Observer), by default none: a function that is told of each
        /// delivery, for example to count it. `MetricsObserver` of the package `scrupp-verify-metrics` is
        /// one.
        #[must_use]
        pub fn observe(self, observer: impl $crate::Observer) -> Self {
            self.set(|config| config.observe(observer))
        }

        /// Handles each delivery once: takes a store, or a [`Dedup`]($crate::Dedup) to change the
        /// terms.
        ///
        /// Once the handler responded to a delivery with a 2xx, its duplicates get 200 and the
        /// handler does not run. The response to a duplicate has
        /// [`Duplicate`]($crate::Duplicate) in its extensions. While one attempt is in flight, others
        /// are rejected with 503. If the store fails before the handler, the delivery is rejected with
        /// 503. If the store fails after the handler succeeded, the response stays a 2xx, and a later
        /// duplicate may be handled again.
        ///
        /// Two deliveries are duplicates if their account, event name, process id and status are equal:
        ///
        /// - **The same event at two routes is a duplicate**, because the signature does not cover the
        ///   path. If two routes share a store, the event runs the handler of the first only. Give each
        ///   route a scope, by [`Dedup::scope`]($crate::Dedup::scope), or a store of its own.
        /// - **A repeated run of a process is a duplicate** if it ends with the same status within the
        ///   retention (by default a day). If your processes run repeatedly under one id, tell the
        ///   runs apart by [`Dedup::delivery_id`]($crate::Dedup::delivery_id), for example by a field
        ///   of `meta` that you set for each run.
        ///
        /// The claim is committed when the handler returns a 2xx, before the response's body is sent. If
        /// the body breaks off, the delivery stays acknowledged. Do the work before responding, and
        /// respond with a short body.
        ///
        /// The handler can take its claim, a [`Claimed`](::scrupp_verify_core::dedup::Claimed), by the
        /// extractor `ScruppClaim` or from the request's extensions. With it, a store in SQL
        /// (`scrupp-verify-sqlx`) acknowledges the delivery in the transaction of the handler's effects.
        ///
        /// # Cancel safety
        ///
        /// If the client resets its connection, the server drops the handler. The middleware then
        /// releases the claim and logs a warning, and the next attempt runs the handler from its
        /// beginning. Work that must not stop half-way belongs in a spawned task or in a queue.
        #[cfg(feature = "dedup")]
        #[must_use]
        pub fn dedup(self, dedup: impl Into<$crate::Dedup>) -> Self {
            self.set(|config| config.dedup = Some(dedup.into()))
        }
    };
}
