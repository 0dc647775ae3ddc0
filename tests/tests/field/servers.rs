//! The example servers: clients that close early, request targets, and the environment.
