//! What a verified delivery says, and where its result is fetched.
//!
//! [`Event::parse`] reads a body; [`Event::result_url`] says which URL to fetch, and refuses one
//! that would carry the API key elsewhere. Fetching is left to the HTTP client of the application.
//!
//! # Rules
//!
//! 1. An event name, a status or a field that this crate does not know is kept, and no error.
//! 2. A known field of the wrong type is an error that names the field, not what is in it.
//! 3. What was read can be written again without loss: numbers of any size and precision, nulls
//!    and repeated unknown fields included. Only the order of the fields and white space around
//!    them may change.
//! 4. The API key goes to one origin, [`ApiOrigin`], whatever a payload says.
//!
//! # Security
//!
//! An event is worth as much as the verification of its body: parse after it, never before. In an
//! adapter's handler that is the case.
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
//! match Event::parse(body)? {
//!     Event::TaskCompleted(task) if task.status == Status::Completed => {
//!         let url = task.result_url(&ApiOrigin::default())?;
//!         assert_eq!(url.as_str(), "https://api.scrupp.com/api/v1/task/6666/data");
//!     }
//!     Event::TaskCompleted(task) => println!("{} failed: {:?}", task.process_id, task.error),
//!     other => println!("nothing to do for {}", other.name()),
//! }
//!
//! let error = Event::parse(br#"{"event":"task.completed","process_id":"6666"}"#).unwrap_err();
//! assert_eq!(error.to_string(), "process_id: expected an unsigned 64-bit integer");
//! # Ok(())
//! # }
//! ```

mod api_origin;
mod event;
mod event_error;
mod fields;
mod meta;
mod other_event;
mod status;
mod task_completed;

pub use api_origin::{ApiOrigin, ApiUrl, ResultUrlError};
pub use event::Event;
pub use event_error::{EventError, EventErrorKind};
pub use fields::Fields;
pub use meta::Meta;
pub use other_event::OtherEvent;
pub use status::Status;
pub use task_completed::TaskCompleted;
