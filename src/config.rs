//! interim
use crate::protocol::ids::BankId;
use serde::Deserialize;
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    pub nodes: Vec<NodeAddress>,
    #[serde(default)]
    pub heartbeat: HeartbeatTimes,
    #[serde(default)]
    pub customer_auth: CustomerAuth,
    #[serde(default)]
    pub check_digits: bool,
}
#[derive(Clone, Debug, Deserialize)]
pub struct NodeAddress {
    #[serde(default)]
    pub name: String,
    pub host: String,
    pub port: u16,
    pub heartbeat_port: u16,
}
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct HeartbeatTimes {
    pub interval_ms: u64,
    pub failure_after_ms: u64,
    pub rejoin_after_ms: u64,
}
impl Default for HeartbeatTimes {
    fn default() -> Self {
        HeartbeatTimes { interval_ms: 1000, failure_after_ms: 5000, rejoin_after_ms: 5000 }
    }
}
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CustomerAuth {
    #[default]
    Sessions,
    Open,
}
impl Config {
    pub fn fingerprint(&self) -> String {
        format!("{:?}", self.nodes)
    }
}
impl NodeAddress {
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }
}
pub fn unused(_: BankId) {}
impl Config {
    pub fn parse(t: &str) -> Result<Config, String> {
        let mut c: Config = serde_json::from_str(t).map_err(|e| e.to_string())?;
        for (i, n) in c.nodes.iter_mut().enumerate() {
            if n.name.is_empty() {
                n.name = format!("Banco {i}")
            }
        }
        Ok(c)
    }
}
