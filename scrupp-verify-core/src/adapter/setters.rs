/// The setters that every `ScruppVerify` has, for a type with a field `gate: Gate<_>`.
#[doc(hidden)]
#[macro_export]
macro_rules! adapter_setters {
    () => {
        /// Swaps the window that timestamps are accepted in, by default 300 s into the past and
        /// 60 s into the future.
        ///
        /// # Security
        ///
        /// Without duplicate handling, a recorded delivery can be replayed for as long as the
        /// past tolerance.
        #[must_use]
        pub fn tolerance(mut self, tolerance: $crate::Tolerance) -> Self {
            self.gate.policy = self.gate.policy.tolerance(tolerance);
            self
        }

        /// Sets the length in bytes up to which a body is accepted, by default 262,144 (256 KiB):
        /// a documented event has about 200 bytes, and the rest is room for `meta`.
        ///
        /// Over it the answer is 413, on the declared length before the body is read. Where only the
        /// bytes that come are over, none of them are kept any more, and the answer follows once the
        /// body is at its end, its time-out, or twice the limit.
        #[must_use]
        pub fn body_limit(mut self, bytes: usize) -> Self {
            self.gate.policy = self.gate.policy.body_limit(bytes);
            self
        }

        /// Sets how long a body may take until it is complete, by default 10 s: the whole of it,
        /// not each piece, so that a sender cannot hold a connection by trickling.
        ///
        /// After it the answer is 408.
        #[must_use]
        pub fn body_timeout(mut self, timeout: ::core::time::Duration) -> Self {
            self.gate.body_timeout = timeout;
            self
        }

        /// Sets how many bytes of bodies are held at once that are not verified yet, over all
        /// connections, by default 67,108,864 (64 MiB).
        ///
        /// While so many are held, no more is received of other bodies; one that finds no room
        /// within the body's time-out is answered 503. A body that is larger than the budget gets
        /// through alone. What the server itself buffers is not counted.
        #[must_use]
        pub fn buffer_budget(mut self, bytes: usize) -> Self {
            self.gate.buffer_budget = $crate::adapter::Budget::new(bytes);
            self
        }

        /// Swaps the system clock for another. Where it returns `None`, nothing is accepted and
        /// the answer is 503.
        #[must_use]
        pub fn clock(mut self, clock: impl $crate::Clock + Send + Sync + 'static) -> Self {
            self.gate.clock = ::std::sync::Arc::new(clock);
            self
        }

        /// Handles each delivery once, however often it comes: with a store, or a
        /// [`Dedup`]($crate::adapter::Dedup) where its terms are not to be the default.
        ///
        /// A delivery that was answered 2xx is answered 200 from then on, and the service is not
        /// called. While one attempt is being handled, others get 503; where the store fails, all
        /// of them do. Should the store fail once the service has succeeded, the answer stands,
        /// and the delivery may be handled again if it comes again.
        #[must_use]
        pub fn dedup(mut self, dedup: impl Into<$crate::adapter::Dedup>) -> Self {
            self.gate.dedup = Some(dedup.into());
            self
        }
    };
}
