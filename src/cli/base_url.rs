//! The address of a bank as a person types it.

use std::fmt;
use std::str::FromStr;

use awc::http::Uri;

/// `http://host:port`, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl(String);

impl BaseUrl {
    /// The URL of a route, such as `/ready`.
    pub(super) fn route(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not the address of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be http://HOST:PORT and nothing more")]
pub(super) struct BadUrl;

impl FromStr for BaseUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let uri: Uri = text.parse().map_err(|_| BadUrl)?;
        let bare =
            uri.path_and_query().is_none_or(|rest| rest.as_str() == "/") && !text.ends_with('/');
        let with_host = uri.host().is_some_and(|host| !host.is_empty());
        if uri.scheme_str() == Some("http") && with_host && bare {
            Ok(BaseUrl(text.to_owned()))
        } else {
            Err(BadUrl)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_is_named_by_scheme_host_and_port() {
        let url: BaseUrl = "http://127.0.0.1:3050/".parse().unwrap();
        assert_eq!(url.route("/ready"), "http://127.0.0.1:3050/ready");
        assert!("http://[::1]:3050".parse::<BaseUrl>().is_ok());
        for text in [
            "",
            "127.0.0.1:3050",
            "https://a:1",
            "http://",
            "http://a:1/ready",
            "http://a:1?x",
            "http://a:1//",
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(BadUrl), "{text:?}");
        }
    }
}
