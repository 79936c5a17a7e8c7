//! What is read, what is refused, and where.

use super::*;

fn refusal(text: &str) -> String {
    Config::parse(text)
        .map(|config| format!("accepted: {config:?}"))
        .unwrap_or_else(|error| error.to_string())
}

/// A configuration text with these entries in `nodes`.
fn nodes(entries: &str) -> String {
    format!(r#"{{"nodes": [{entries}]}}"#)
}

#[test]
fn everything_but_the_hosts_has_a_default() {
    let config =
        Config::parse(&nodes(r#"{"host": "bank0"}, {"host": "bank1", "port": 4000}"#)).unwrap();
    let node = |name: &str, host: &str, port| NodeAddress {
        name: name.into(),
        host: host.into(),
        port,
        heartbeat_port: 2050,
    };
    assert_eq!(config.nodes, [node("Banco 0", "bank0", 3050), node("Banco 1", "bank1", 4000)]);
    let HeartbeatTimes { interval_ms, failure_after_ms, rejoin_after_ms, slow_after_ms } =
        config.heartbeat;
    assert_eq!(
        (interval_ms, failure_after_ms, rejoin_after_ms, slow_after_ms),
        (1_000, 5_000, 5_000, 500)
    );
    assert_eq!((config.customer_auth, config.check_digits), (CustomerAuth::Sessions, false));
    assert_eq!((config.journal.positions_max, config.journal.snapshot_every), (0, 250_000));
    assert!(!config.laboratory, "a laboratory only where somebody asks for one");
    assert!(config.joint_consent && !config.stranger_deposits);
}

#[test]
fn laboratories_open_joint_accounts_at_once_and_take_anybodys_deposits() {
    let terms = |text: &str| {
        let config = Config::parse(&format!(r#"{{"nodes":[{{"host":"a"}}],{text}}}"#)).unwrap();
        (config.joint_consent, config.stranger_deposits)
    };
    assert_eq!(terms(r#""laboratory":true"#), (false, true));
    assert_eq!(terms(r#""customer_auth":"open""#), (false, true));
    assert_eq!(terms(r#""laboratory":true,"joint_consent":true"#), (true, true));
    assert_eq!(terms(r#""stranger_deposits":true"#), (true, true));
}

#[test]
fn how_long_a_login_lasts_has_bounds() {
    let times = |written: &str| {
        let text = format!(r#"{{"nodes":[{{"host":"a"}}],"sessions":{written}}}"#);
        Config::parse(&text).map(|config| config.sessions)
    };
    let SessionTimes { idle_minutes, most_minutes } = times("{}").unwrap();
    assert_eq!((idle_minutes, most_minutes), (60, 480));
    assert_eq!(times(r#"{"idle_minutes":5}"#).unwrap().idle_minutes, 5);
    for (written, place) in [
        (r#"{"idle_minutes":0}"#, "sessions.idle_minutes: must be 1 to most_minutes (480), not 0"),
        (r#"{"most_minutes":59}"#, "sessions.idle_minutes: must be 1 to most_minutes (59), not 60"),
        (r#"{"most_minutes":44641}"#, "sessions.most_minutes: must be 1 to 44640, not 44641"),
    ] {
        assert_eq!(times(written).unwrap_err().to_string(), place);
    }
}

#[test]
fn the_largest_amount_has_bounds() {
    let most = |reais: &str| {
        let text = format!(r#"{{"nodes":[{{"host":"a"}}],"operation_max":{reais}}}"#);
        Config::parse(&text).map(|config| i64::from(config.operation_max))
    };
    assert_eq!(most("1").unwrap(), 100);
    assert_eq!(most("92233720368547758").unwrap(), 9_223_372_036_854_775_800);
    for beyond in ["0", "92233720368547759", "18446744073709551615"] {
        let said = most(beyond).unwrap_err().to_string();
        assert!(said.starts_with("operation_max: must be 1 to 92233720368547758"), "{said}");
    }
}

#[test]
fn a_byte_order_mark_before_the_file_is_passed_over() {
    let text = nodes(r#"{"host": "bank0"}"#);
    assert_eq!(
        Config::parse(&format!("\u{feff}{text}")).unwrap().nodes,
        Config::parse(&text).unwrap().nodes
    );
}

#[test]
fn every_field_is_read() {
    let text = r#"{"nodes": [{"name": "Norte", "host": "[::1]", "port": 1, "heartbeat_port": 2}], "check_digits": true,
        "laboratory": true,
        "heartbeat": {"interval_ms": 10, "failure_after_ms": 11, "rejoin_after_ms": 0, "slow_after_ms": 9}, "customer_auth": "open",
        "journal": {"positions_max": 1000, "snapshot_every": 0}}"#;
    let config = Config::parse(text).unwrap();
    assert_eq!(config.nodes[0].name, "Norte");
    assert_eq!(config.nodes[0].url(), "http://[::1]:1");
    let times = HeartbeatTimes {
        interval_ms: 10,
        failure_after_ms: 11,
        rejoin_after_ms: 0,
        slow_after_ms: 9,
    };
    assert_eq!(config.heartbeat, times);
    assert_eq!((config.customer_auth, config.check_digits), (CustomerAuth::Open, true));
    assert_eq!((config.journal.positions_max, config.journal.snapshot_every), (1_000, 0));
    assert!(config.laboratory);
}

#[test]
fn the_file_of_the_repository_has_three_banks_on_this_machine() {
    let config =
        Config::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/nodes.json"))).unwrap();
    let addresses: Vec<_> = config
        .nodes
        .iter()
        .map(|node| (node.host.as_str(), node.port, node.heartbeat_port))
        .collect();
    assert_eq!(
        addresses,
        [("127.0.0.1", 3050, 2050), ("127.0.0.1", 3051, 2051), ("127.0.0.1", 3052, 2052)]
    );
}

#[test]
fn what_does_not_parse_is_refused_with_its_place() {
    for (text, place) in [
        (
            nodes(r#"{"host": "a"}, {"host": "b", "prot": 1}"#),
            "nodes[1].prot: unknown field `prot`",
        ),
        (nodes(r#"{"host": "a", "port": 1, "port": 2}"#), "nodes[0]: duplicate field `port`"),
        (nodes(r#"{"host": "a", "port": 65536}"#), "nodes[0].port: invalid value"),
        (nodes(r#"{"host": "a", "port": "1"}"#), "nodes[0].port: invalid type"),
        (nodes(r#"{"port": 1}"#), "nodes[0]: missing field `host`"),
        (
            r#"{"nodes": [], "customer_auth": "none"}"#.into(),
            "customer_auth: unknown variant `none`",
        ),
        (r#"{"nodes": [], "nodes": []}"#.into(), "duplicate field `nodes` at line 1"),
        (
            r#"{"nodes": [], "heartbeat": {"interval_ms": -1}}"#.into(),
            "heartbeat.interval_ms: invalid value",
        ),
        (r#"{"nodes": [], "journal": {"max": 1}}"#.into(), "journal.max: unknown field `max`"),
        (r#"{"nodes": []} x"#.into(), "trailing characters at line 1"),
        (r#"{"node": []}"#.into(), "node: unknown field `node`"),
        ("{}".into(), "missing field `nodes`"),
        (String::new(), "EOF while parsing"),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.starts_with(place), "{text}\n  {refusal}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_place() {
    let times =
        |times: &str| format!(r#"{{"nodes": [{{"host": "a"}}], "heartbeat": {{{times}}}}}"#);
    for (text, expected) in [
        (nodes(""), "nodes: must list 1 to 64 banks, not 0"),
        (nodes(r#"{"host": "a", "port": 0}"#), "nodes[0].port: must be 1 to 65535"),
        (
            nodes(r#"{"host": "a"}, {"host": "A", "heartbeat_port": 1}"#),
            "nodes[1].port: is the same address as nodes[0].port (a:3050)",
        ),
        (
            nodes(r#"{"host": "a"}, {"host": "a", "port": 2050, "heartbeat_port": 1}"#),
            "nodes[1].port: is the same address as nodes[0].heartbeat_port (a:2050)",
        ),
        (
            nodes(r#"{"host": "a", "port": 7, "heartbeat_port": 7}"#),
            "nodes[0].heartbeat_port: is the same address as nodes[0].port (a:7)",
        ),
        (
            nodes(r#"{"host": "a", "name": "Banco 1"}, {"host": "b"}"#),
            "nodes[1].name: is the same as nodes[0].name (\"Banco 1\")",
        ),
        (
            times(r#""interval_ms": 1000, "failure_after_ms": 500"#),
            "heartbeat.interval_ms: must be smaller than failure_after_ms (1000 >= 500)",
        ),
        (times(r#""slow_after_ms": 0"#), "heartbeat.slow_after_ms: must be more than 0"),
        (times(r#""interval_ms": 9"#), "heartbeat.interval_ms: must be at least 10, not 9"),
        (
            r#"{"nodes": [{"host": "a"}], "journal": {"positions_max": 999}}"#.into(),
            "journal.positions_max: must be 0 (no limit) or at least 1000, not 999",
        ),
        (
            r#"{"nodes": [{"host": "a"}], "journal": {"snapshot_every": 1}}"#.into(),
            "journal.snapshot_every: must be 0 (never) or at least 1000, not 1",
        ),
        (
            times(r#""rejoin_after_ms": 3600001"#),
            "heartbeat.rejoin_after_ms: must be at most 3600000, not 3600001",
        ),
    ] {
        assert_eq!(refusal(&text), expected, "{text}");
    }
}

#[test]
fn there_may_be_64_banks_and_not_one_more() {
    let banks = |count| {
        let entries: Vec<_> =
            (0..count).map(|bank| format!(r#"{{"host": "bank{bank}"}}"#)).collect();
        nodes(&entries.join(","))
    };
    assert_eq!(Config::parse(&banks(64)).unwrap().nodes.len(), 64);
    assert_eq!(refusal(&banks(65)), "nodes: must list 1 to 64 banks, not 65");
}

#[test]
fn a_host_is_a_name_or_an_address_and_nothing_around_it() {
    let long = "a".repeat(HOST_CHARS_MAX + 1);
    for host in ["", " a", "http://a", "a:3050", "::1", "[::1", "[a]", "a/b", &long] {
        let refusal = refusal(&nodes(&format!(r#"{{"host": "{host}"}}"#)));
        assert!(refusal.starts_with("nodes[0].host: must be a host name"), "{host:?}: {refusal}");
    }
}

#[test]
fn errors_about_a_file_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nodes.json");
    let said = || Config::load(&file).unwrap_err().to_string();
    assert!(said().starts_with(&format!("{}: cannot be read: ", file.display())), "{}", said());
    std::fs::write(&file, r#"{"nodes": [{"host": "a", "port": 0}]}"#).unwrap();
    assert_eq!(said(), format!("{}: nodes[0].port: must be 1 to 65535", file.display()));
    std::fs::write(&file, " ".repeat(CONFIG_BYTES_MAX as usize + 1)).unwrap();
    assert!(said().contains("more than 1048576 bytes"), "{}", said());
}
