//! Events of verified deliveries, and the URLs of their results.
//!
//! [`Event::parse`] parses a verified body. [`Event::result_url`] returns the URL of the result.
//! The application fetches this URL with its own HTTP client.
//!
//! The following rules apply:
//!
//! 1. A `task.completed` event is identified by its name, its process id and its status. Parsing
//!    fails if one of these fields is missing or of the wrong type. Parsing also fails if one of
//!    them is repeated, because two parsers could read different values. An unknown event needs
//!    only a name.
//! 2. The values of other fields never cause an error. If an optional field is `null`, of the wrong
//!    type or repeated, its value is `None`, and the field `other` of the struct contains its
//!    JSON text.
//! 3. Unknown event names, statuses and fields are preserved, and do not cause an error.
//! 4. Serialization is lossless, including numbers of any size and precision, nulls and repeated
//!    fields. Only the order of fields, whitespace between them and escapes in strings may change.
//!    A process id in a string is written as a number.
//! 5. A `result_url` with an origin other than the configured [`ApiOrigin`] is rejected, because
//!    the request for the result contains the API key.
//!
//! # Security
//!
//! For requests, use [`Event::parse`], which accepts only verified bodies. Use [`Event::from_json`]
//! only for tests, and for bodies that were verified before they were stored.
//!
//! # Examples
//!
//! ```
//! use scrupp_verify_core::{Secret, Signer, UnixTime, Verifier};
//! use scrupp_verify_core::events::{ApiOrigin, Event, Status};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new("topsecret")?;
//! let now = UnixTime::from_secs(1_735_471_800);
//! let body = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
//! let headers = Signer::new(&secret).sign(now, body.as_bytes());
//!
//! let delivery = Verifier::new(secret).verify(&headers, body, now)?;
//! match Event::parse(&delivery)? {
//!     Event::TaskCompleted(task) if task.status == Status::Completed => {
//!         let url = task.result_url(&ApiOrigin::default())?;
//!         assert_eq!(url.as_str(), "https://api.scrupp.com/task/6666/data");
//!     }
//!     Event::TaskCompleted(task) => println!("{} failed: {:?}", task.process_id, task.error),
//!     other => println!("ignored {}", other.name()),
//! }
//!
//! let error = Event::from_json(br#"{"event":"task.completed","process_id":-1}"#).unwrap_err();
//! assert_eq!(error.to_string(), "process_id: expected an unsigned 64-bit integer");
//! # Ok(())
//! # }
//! ```

mod api_origin;
mod event;
mod fields;
mod task_completed;

pub use api_origin::{ApiOrigin, ApiUrl, ResultUrlError};
pub use event::{Event, OtherEvent};
pub use fields::{EventError, Fields};
pub use task_completed::{Meta, Status, TaskCompleted};
