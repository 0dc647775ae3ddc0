//! Validation of URLs. No message contains a part of the URL, because the URL may contain a password.

#[cfg(any(feature = "cluster", feature = "sentinel"))]
use redis::ConnectionAddr;
use redis::{ConnectionInfo, IntoConnectionInfo};

use crate::RedisStoreError;

/// The message for a URL that [`check`] accepts and the client rejects.
pub(crate) const INVALID: &str = "the host or a parameter is not valid";

#[cfg(any(feature = "cluster", feature = "sentinel"))]
const NONE: &str = "at least one URL is needed";
#[cfg(any(feature = "cluster", feature = "sentinel"))]
const NO_DATABASE: &str = "a Unix socket or a database number is not supported here";
const SCHEME: &str = "the scheme must be redis:// or rediss://";
#[cfg(not(feature = "tls"))]
const TLS: &str = "rediss:// needs the feature `tls` of scrupp-verify-redis";
const CREDENTIALS: &str = "percent-encode `#`, `/`, `?` and `@` in the user name and password, \
                           as %23, %2F, %3F and %40";
const FRAGMENT: &str = "a `#` is not allowed: percent-encode it as %23";
const HOST: &str = "the host is missing";
const PORT: &str = "the port must be a number from 1 to 65535";
const DATABASE: &str = "the database must be a number";

/// Parses a URL.
pub(crate) fn read(url: &str) -> Result<ConnectionInfo, RedisStoreError> {
    check(url).map_err(RedisStoreError::invalid_url)?;
    let info = url.into_connection_info();
    info.map_err(|_| RedisStoreError::invalid_url(INVALID))
}

/// Parses the URLs of one or more servers. Rejects Unix sockets and databases other than 0.
#[cfg(any(feature = "cluster", feature = "sentinel"))]
pub(crate) fn read_all<U: AsRef<str>>(
    urls: impl IntoIterator<Item = U>,
) -> Result<Vec<ConnectionInfo>, RedisStoreError> {
    let infos = urls.into_iter().map(|url| {
        let info = read(url.as_ref())?;
        let is_unix = matches!(info.addr(), ConnectionAddr::Unix(_));
        if is_unix || info.redis_settings().db() != 0 {
            return Err(RedisStoreError::invalid_url(NO_DATABASE));
        }
        Ok(info)
    });
    let infos = infos.collect::<Result<Vec<_>, _>>()?;
    if infos.is_empty() {
        return Err(RedisStoreError::invalid_url(NONE));
    }
    Ok(infos)
}

/// Parses the name of a primary, or a URL with the name as its host. Returns the name and the settings of
/// the connection.
#[cfg(feature = "sentinel")]
pub(crate) fn read_primary(primary: &str) -> Result<(String, ConnectionInfo), RedisStoreError> {
    let info = match primary.contains("://") {
        true => read(primary)?,
        false => read(&format!("redis://{primary}"))?,
    };
    match info.addr() {
        ConnectionAddr::Tcp(name, _) | ConnectionAddr::TcpTls { host: name, .. } => {
            Ok((name.clone(), info))
        }
        _ => Err(RedisStoreError::invalid_url(INVALID)),
    }
}

/// Checks a URL for the errors that have a message of their own.
fn check(url: &str) -> Result<(), &'static str> {
    let (scheme, rest) = url.trim().split_once("://").ok_or(SCHEME)?;
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => {}
        "unix" | "redis+unix" | "valkey+unix" => return Ok(()),
        #[cfg(feature = "tls")]
        "rediss" | "valkeys" => {}
        #[cfg(not(feature = "tls"))]
        "rediss" | "valkeys" => return Err(TLS),
        _ => return Err(SCHEME),
    }
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if tail.contains('@') {
        return Err(CREDENTIALS);
    }
    if tail.contains('#') {
        return Err(FRAGMENT);
    }
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    // The colons of an IPv6 address are in brackets.
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (host, None),
    };
    if host.is_empty() {
        return Err(HOST);
    }
    if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
        return Err(PORT);
    }
    let path = tail.split('?').next().unwrap_or_default();
    match path.trim_matches('/') {
        "" => Ok(()),
        database => database.parse::<u32>().map(drop).map_err(|_| DATABASE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_invalid_urls_with_a_reason() {
        for (url, reason) in [
            ("", SCHEME),
            ("127.0.0.1:6379", SCHEME),
            ("http://127.0.0.1", SCHEME),
            ("\"redis://127.0.0.1\"", SCHEME),
            ("redis://:pass#word@127.0.0.1", CREDENTIALS),
            ("redis://:1#word@127.0.0.1", CREDENTIALS),
            ("redis://user:12#34@127.0.0.1/0", CREDENTIALS),
            ("redis://user:12?34@127.0.0.1/0", CREDENTIALS),
            ("redis://user:12/34@127.0.0.1/0", CREDENTIALS),
            ("redis://us/er:1234@127.0.0.1/0", CREDENTIALS),
            ("redis://127.0.0.1/0#insecure", FRAGMENT),
            ("redis://", HOST),
            ("redis:///0", HOST),
            ("redis://:word@", HOST),
            ("redis://:word@:6379", HOST),
            ("redis://127.0.0.1:", PORT),
            ("redis://127.0.0.1:0", PORT),
            ("redis://127.0.0.1:x", PORT),
            ("redis://127.0.0.1:65536", PORT),
            ("redis://[::1]:x", PORT),
            ("redis://127.0.0.1/first", DATABASE),
            ("redis://127.0.0.1/-1", DATABASE),
            ("redis://127.0.0.1/0/1", DATABASE),
        ] {
            assert_eq!(check(url), Err(reason), "{url}");
        }
    }

    #[test]
    fn accepts_valid_urls() {
        for url in [
            "redis://127.0.0.1",
            "unix:///run/redis.sock",
            "REDIS://127.0.0.1:6379/",
            "redis://[::1]",
            "redis://[::1]:6379/2",
            "redis://user@localhost/0?protocol=resp3",
            "redis://:pa%23ss@word@redis.internal:6379/15",
            "valkey://127.0.0.1\n",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
            assert!(redis::Client::open(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn requires_the_feature_for_tls() {
        for url in ["rediss://127.0.0.1", "valkeys://127.0.0.1"] {
            #[cfg(feature = "tls")]
            assert_eq!(check(url), Ok(()), "{url}");
            #[cfg(not(feature = "tls"))]
            assert_eq!(check(url), Err(TLS), "{url}");
        }
    }
}
