//! Files and times from the command line.

use core::time::Duration;
use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use scrupp_verify_core::UnixTime;

use crate::{output::Error, secrets::Secrets};

/// Reads a file, or standard input if its name is `-`. Fails if standard input is the secret.
pub(crate) fn read(file: &Path, secrets: &Secrets) -> Result<Vec<u8>, Error> {
    if is_stdin(file) && secrets.are_on_stdin() {
        let why = "standard input cannot be both the secret and the delivery";
        return Err(Error::Usage(why.to_owned()));
    }
    read_bytes(file).map_err(|why| Error::failed(file.display(), why))
}

/// Reads a file, or standard input if its name is `-`.
pub(crate) fn read_bytes(file: &Path) -> io::Result<Vec<u8>> {
    if !is_stdin(file) {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Returns the current time minus an age.
pub(crate) fn time(age: Option<Duration>) -> Result<UnixTime, Error> {
    let now = UnixTime::now().ok_or(Error::Failed("the system clock is before 1970".to_owned()))?;
    let sent = now.as_secs().checked_sub(age.unwrap_or_default().as_secs());
    let sent = sent.ok_or(Error::Usage("--age: the time is before 1970".to_owned()));
    sent.map(UnixTime::from_secs)
}
