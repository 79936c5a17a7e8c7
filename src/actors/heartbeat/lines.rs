//! What travels on a heartbeat connection: one JSON text per line.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::config::Settings;
use crate::ids::BankId;
use crate::protocol::report::PeerReport;
use crate::tls::Channel;

/// Longest ping or pong, in bytes.
pub(super) const LINE_BYTES_MAX: u64 = 4_096;
/// Longest introduction and answer to it, in bytes: more than the settings of the largest
/// consortium with the longest names take.
pub(super) const HELLO_BYTES_MAX: u64 = 128 * 1024;

/// The caller's introduction. Everything but bank and secret may be missing or unknown in another
/// version, which is then refused as such rather than as something that does not parse.
#[derive(Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) bank: BankId,
    pub(super) secret: String,
    #[serde(default)]
    pub(super) protocol: u32,
    #[serde(default)]
    pub(super) settings: Settings,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Welcome {
    Welcome(bool),
    Refused(String),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Ping {
    pub(super) ping: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Pong {
    pub(super) pong: u64,
    /// What this bank's wall clock says, in Unix milliseconds.
    pub(super) wall_ms: i64,
    #[serde(flatten)]
    pub(super) report: PeerReport,
}

pub(super) type Lines = BufReader<Channel>;

pub(super) async fn say<T: Serialize>(lines: &mut Lines, value: &T) -> io::Result<()> {
    let mut text = serde_json::to_vec(value).map_err(io::Error::other)?;
    text.push(b'\n');
    lines.get_mut().write_all(&text).await?;
    lines.get_mut().flush().await
}

/// The next line; the end of the connection, a line that is too long and one that does not parse
/// are all errors.
pub(super) async fn hear<T: DeserializeOwned>(lines: &mut Lines, bytes_max: u64) -> io::Result<T> {
    let mut text = Vec::new();
    lines.take(bytes_max).read_until(b'\n', &mut text).await?;
    if text.last() != Some(&b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BANK_NAME_CHARS_MAX, Config, HOST_CHARS_MAX};
    use crate::ids::BANKS_MAX;

    #[test]
    fn the_longest_introduction_fits() {
        // Four bytes a character, and the first two digits keep names and hosts apart.
        let node = |bank: usize| {
            let name = format!("{bank:02}{}", "\u{1f3e6}".repeat(BANK_NAME_CHARS_MAX - 2));
            let host = format!("{bank:02}{}", "h".repeat(HOST_CHARS_MAX - 2));
            format!(r#"{{"name":"{name}","host":"{host}","port":65534,"heartbeat_port":65535}}"#)
        };
        let nodes: Vec<_> = (0..BANKS_MAX).map(node).collect();
        let config = Config::parse(&format!(r#"{{"nodes":[{}]}}"#, nodes.join(","))).unwrap();
        let settings = Settings::of(&config);
        let hello =
            Hello { bank: BankId(63), secret: "\\".repeat(256), protocol: u32::MAX, settings };
        let bytes = serde_json::to_vec(&hello).unwrap().len() as u64;
        assert!(bytes < HELLO_BYTES_MAX, "{bytes}");
    }

    #[test]
    fn another_version_is_understood_well_enough_to_be_refused_by_name() {
        let text = r#"{"bank":2,"secret":"s","protocol":1,"consortium":"0af3","later":[1]}"#;
        let hello: Hello = serde_json::from_str(text).unwrap();
        assert_eq!(
            (hello.bank, hello.protocol, hello.settings),
            (BankId(2), 1, Settings::default())
        );
    }
}
