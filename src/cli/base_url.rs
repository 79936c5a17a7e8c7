//! The address of a bank as a person types it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use awc::http::Uri;

use crate::wire;

/// How the address of a bank with a certificate begins.
const ENCRYPTED: &str = "https://";
/// The port of such a bank, unless the address names one.
const HTTPS_PORT: u16 = 443;

/// `http://host:port` or `https://host:port`, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl(String);

impl BaseUrl {
    /// The URL of a route, such as `/ready`, as the HTTP client takes it: for a bank that is
    /// reached by HTTPS, that is [`wire::client_of_site`].
    pub(super) fn route(&self, path: &str) -> String {
        match self.0.strip_prefix(ENCRYPTED) {
            Some(host) if has_port(host) => format!("http://{host}{path}"),
            Some(host) => format!("http://{host}:{HTTPS_PORT}{path}"),
            None => format!("{}{path}", self.0),
        }
    }

    /// Whether it is reached by HTTPS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.0.starts_with(ENCRYPTED)
    }

    /// A client for it that waits `answer_within` for each answer.
    pub(super) fn client(&self, answer_within: Duration) -> awc::Client {
        if self.is_encrypted() {
            wire::client_of_site(1, answer_within)
        } else {
            wire::client(1, answer_within)
        }
    }
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not the address of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be http://HOST:PORT or https://HOST:PORT and nothing more")]
pub(super) struct BadUrl;

impl FromStr for BaseUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let uri: Uri = text.parse().map_err(|_| BadUrl)?;
        let bare =
            uri.path_and_query().is_none_or(|rest| rest.as_str() == "/") && !text.ends_with('/');
        let with_host = uri.host().is_some_and(|host| !host.is_empty());
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        if known && with_host && bare { Ok(BaseUrl(text.to_owned())) } else { Err(BadUrl) }
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
        let encrypted = |text: &str| text.parse::<BaseUrl>().unwrap().route("/ready");
        assert_eq!(encrypted("https://a:1"), "http://a:1/ready");
        assert_eq!(encrypted("https://a"), "http://a:443/ready");
        assert_eq!(encrypted("https://[::1]"), "http://[::1]:443/ready");
        for text in [
            "",
            "127.0.0.1:3050",
            "ftp://a:1",
            "http://",
            "http://a:1/ready",
            "http://a:1?x",
            "http://a:1//",
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(BadUrl), "{text:?}");
        }
    }
}
