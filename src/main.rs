//! interim
fn main() {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let args: Vec<String> = std::env::args().collect();
    let get = |name: &str| args.iter().position(|a| a == name).map(|i| args[i + 1].clone());
    let config: netbanking::config::Config =
        serde_json::from_str(&std::fs::read_to_string(get("--nodes").expect("n")).expect("f")).expect("j");
    let o = netbanking::node::NodeOptions {
        bank: netbanking::protocol::ids::BankId(get("--bank").expect("b").parse().expect("n")),
        config,
        data: get("--data").expect("d").into(),
        listen: None,
        peer_secret: std::env::var("NETBANKING_PEER_SECRET").expect("s"),
        stop_with_stdin: args.iter().any(|a| a == "--stop-with-stdin"),
    };
    if let Err(e) = netbanking::node::run(o) {
        eprintln!("{e}");
        std::process::exit(1)
    }
}
