//! Events of verified deliveries, and the URLs of their results.
//!
//! [`Event::parse`] reads a verified body. [`Event::result_url`] returns the URL to fetch, and rejects one
//! that would send the API key elsewhere. Fetching is left to the HTTP client of the application.
//!
//! 1. Three fields identify an event: its name, its process id and its status. If one of them is
//!    missing, repeated or of the wrong type, [`Event::from_json`] returns an error, because two readers
//!    could disagree about the event.
//! 2. No other field causes an error. An optional field that is `null`, of another type or repeated
//!    reads as `None`, and stays in `other` as JSON text.
//! 3. An unknown event name, status or field is a value, not an error.
//! 4. An event can be written again without loss: numbers of any size and precision, nulls and
//!    repeated fields stay as they are. Only the order of fields, the whitespace around them and the
//!    escapes in text may change. A process id in a string is written as a number.
//! 5. The API key goes to one origin, [`ApiOrigin`], whatever a payload says.
//!
//! # Security
//!
//! [`Event::parse`] takes the proof together with the body. [`Event::from_json`] is for JSON that
//! was verified before it was stored, and for tests.
//!
//! # Examples
//!
//! ```
//! use scrupp_verify_core::events::{ApiOrigin, Event, Status};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let body = br#"{"event":"task.completed","process_id":6666,"status":"completed",
//!     "result_url":"https://api.scrupp.com/api/v1/task/6666/data"}"#;
//!
//! match Event::from_json(body)? {
//!     Event::TaskCompleted(task) if task.status == Status::Completed => {
//!         let url = task.result_url(&ApiOrigin::default())?;
//!         assert_eq!(url.as_str(), "https://api.scrupp.com/api/v1/task/6666/data");
//!     }
//!     Event::TaskCompleted(task) => println!("{} failed: {:?}", task.process_id, task.error),
//!     other => println!("nothing to do for {}", other.name()),
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
