use core::fmt;

use reqwest::{
    Client, RequestBuilder,
    header::{AUTHORIZATION, HeaderValue},
};
use scrupp_verify_tower::events::ApiUrl;

/// The key of the Task API, and its place in a request. The `Debug` output omits the key.
#[derive(Clone)]
pub(crate) enum ApiKey {
    Bearer(HeaderValue),
    /// The legacy form. Proxies can read a key in the URL, and access logs can contain it.
    Query(String),
}

impl ApiKey {
    pub(crate) fn bearer(key: &str) -> Result<Self, &'static str> {
        check(key)?;
        let value = HeaderValue::try_from(format!("Bearer {key}"));
        let mut value = value.map_err(|_| NOT_A_KEY)?;
        value.set_sensitive(true);
        Ok(Self::Bearer(value))
    }

    pub(crate) fn query(key: &str) -> Result<Self, &'static str> {
        check(key)?;
        Ok(Self::Query(key.to_owned()))
    }

    /// Creates a `GET` request with the key.
    pub(crate) fn get(&self, client: &Client, url: &ApiUrl) -> RequestBuilder {
        let request = client.get(url.as_str());
        match self {
            Self::Bearer(value) => request.header(AUTHORIZATION, value),
            Self::Query(key) => request.query(&[("api_key", key)]),
        }
    }
}

const NOT_A_KEY: &str = "an API key consists of visible ASCII characters";

const QUOTED_KEY: &str = "the API key begins or ends with a quote or an angle bracket";

fn check(key: &str) -> Result<(), &'static str> {
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(NOT_A_KEY);
    }
    // Quotes come from a `.env` file, and angle brackets from a placeholder. The API would reject every request.
    let is_unquoted = key.trim_matches(['"', '\'', '`', '<', '>']) == key;
    is_unquoted.then_some(()).ok_or(QUOTED_KEY)
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use scrupp_verify_tower::events::ApiOrigin;

    use super::*;
    use crate::task_api::TaskApi;

    #[test]
    fn debug_output_omits_the_key() {
        for key in [ApiKey::bearer("topsecret"), ApiKey::query("topsecret")] {
            let api = TaskApi::new(ApiOrigin::default(), key.unwrap(), Default::default());
            let debug = format!("{:?}", api.unwrap());
            assert!(debug.contains("ApiKey(..)"), "{debug}");
            assert!(!debug.contains("topsecret"), "{debug}");
        }
    }

    #[test]
    fn rejects_keys_that_are_empty_or_not_visible_ascii() {
        for text in [
            "",
            " topsecret",
            "top secret",
            "topsecret\r\nX-Other: 1",
            "töpsecret",
        ] {
            assert_eq!(ApiKey::bearer(text).unwrap_err(), NOT_A_KEY);
            assert_eq!(ApiKey::query(text).unwrap_err(), NOT_A_KEY);
        }
    }

    #[test]
    fn rejects_keys_with_a_quote_or_an_angle_bracket_at_either_end() {
        for text in [
            "\"topsecret\"",
            "'topsecret'",
            "`topsecret`",
            "<topsecret>",
            "\"topsecret",
            "topsecret'",
            "\"",
        ] {
            assert_eq!(ApiKey::bearer(text).unwrap_err(), QUOTED_KEY);
            assert_eq!(ApiKey::query(text).unwrap_err(), QUOTED_KEY);
        }
        assert!(ApiKey::bearer("top'secret").is_ok());
    }
}
