use std::{
    env,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use scrupp_verify_core::{Keyring, Secret, Signer};

use crate::{
    input::{is_stdin, read_bytes},
    output::Error,
};

const DEFAULT_VARIABLE: &str = "SCRUPP_WEBHOOK_SECRET";

/// Options that name the source of the secrets.
///
/// # Security
///
/// No error contains a name or a path from the command line, because the user may have entered a secret there.
#[derive(clap::Args)]
pub(crate) struct Secrets {
    /// File with the secret, or - for standard input. A trailing line ending is removed
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    secret_file: Option<PathBuf>,
    /// Environment variable with the secret. NAME_PREVIOUS may contain the previous secret
    #[arg(long, value_name = "NAME", default_value = DEFAULT_VARIABLE)]
    secret_env: OsString,
}

impl Secrets {
    /// Reads the secrets without validation, the current one first.
    pub(crate) fn read(&self) -> Result<Vec<Vec<u8>>, Error> {
        if let Some(file) = &self.secret_file {
            let secret = read_bytes(file).map_err(|why| Error::failed("--secret-file", why))?;
            return Ok(vec![without_line_ending(&secret).to_owned()]);
        }
        let mut previous = self.secret_env.clone();
        previous.push("_PREVIOUS");
        let current = variable(&self.secret_env).ok_or_else(|| {
            let source = self.source(0);
            Error::Usage(format!("no secret: {source} is not set"))
        })?;
        Ok([current].into_iter().chain(variable(&previous)).collect())
    }

    /// Reads the secrets for verification.
    pub(crate) fn keyring(&self) -> Result<Keyring, Error> {
        let secrets = self.read()?.into_iter().enumerate();
        let secrets = secrets.map(|(index, secret)| self.validate(index, &secret));
        let keyring = Keyring::new(secrets.collect::<Result<Vec<_>, _>>()?);
        keyring.map_err(|why| Error::Usage(why.to_string()))
    }

    /// Reads the current secret for signing.
    pub(crate) fn signer(&self) -> Result<Signer, Error> {
        let secret = self.validate(0, &self.read()?.swap_remove(0))?;
        Ok(Signer::new(&secret))
    }

    /// Prepares a secret that was read. Errors name its source.
    pub(crate) fn validate(&self, index: usize, secret: &[u8]) -> Result<Secret, Error> {
        let source = self.source(index);
        Secret::new(secret).map_err(|why| Error::Usage(format!("{source}: {why}")))
    }

    /// Returns the source of the current secret (index 0) or the previous one, for errors.
    pub(crate) fn source(&self, index: usize) -> &'static str {
        let is_default = self.secret_env == DEFAULT_VARIABLE;
        match (&self.secret_file, is_default, index) {
            (Some(_), ..) => "--secret-file",
            (None, true, 0) => DEFAULT_VARIABLE,
            (None, true, _) => "SCRUPP_WEBHOOK_SECRET_PREVIOUS",
            (None, false, 0) => "the variable of --secret-env",
            (None, false, _) => "the _PREVIOUS variable of --secret-env",
        }
    }

    pub(crate) fn are_on_stdin(&self) -> bool {
        self.secret_file.as_deref().is_some_and(is_stdin)
    }
}

/// Reads a URL from an environment variable. No error contains the URL or the name.
pub(crate) fn url(option: &str, name: &OsStr) -> Result<String, Error> {
    let url = variable(name).ok_or("the variable is not set");
    let url = url.and_then(|url| String::from_utf8(url).map_err(|_| "the URL is not UTF-8"));
    url.map_err(|why| Error::Usage(format!("{option}: {why}")))
}

/// Reads an environment variable. Returns `None` if the variable is empty.
pub(crate) fn variable(name: &OsStr) -> Option<Vec<u8>> {
    let value = env::var_os(name).filter(|value| !value.is_empty());
    value.map(OsString::into_encoded_bytes)
}

fn without_line_ending(text: &[u8]) -> &[u8] {
    let line = text.strip_suffix(b"\n");
    line.map_or(text, |line| line.strip_suffix(b"\r").unwrap_or(line))
}
