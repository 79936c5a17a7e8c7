//! A node as a whole: its actors, its HTTP server, and how it starts and stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use tokio::net::TcpListener;

use crate::actors::node::Actors;
use crate::config::{Config, CustomerAuth};
use crate::http::{self, Bank, DrawNumbers, PeerRoom};
use crate::ids::BankId;
use crate::machine::{listen_at, name_thread, raise_descriptors};
use crate::store::{Place, StoreError};
use crate::tls::{BadCertificates, Credentials, Entrance, Site, Transport};
use crate::web;

/// What a node is started with.
#[derive(Clone)]
pub struct NodeOptions {
    /// Which bank of `nodes.json` it is.
    pub bank: BankId,
    /// The consortium.
    pub config: Config,
    /// Folder of the node's own files, which is made at the first start, and the database besides
    /// if there is one.
    pub place: Place,
    /// IP address to listen on, if it is not the bank's host in `nodes.json`.
    pub listen: Option<String>,
    /// What peers prove themselves with.
    pub peer_secret: String,
    /// Folder with the bank's certificate, its key and the consortium's authority; `None` where
    /// banks talk in the open.
    pub certificates: Option<PathBuf>,
    /// Folder with the certificate that customers are shown, if they come by HTTPS.
    pub https: Option<PathBuf>,
    /// Whether the end of standard input stops the node.
    pub stop_with_stdin: bool,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The journal cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A port cannot be opened.
    #[error(
        "cannot listen on {address}: {why}. Is another node running there, or is the address not this machine's? (--listen)"
    )]
    Listen {
        /// Host and port.
        address: String,
        /// The system's error text.
        why: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error("--certificates: {0}")]
    Certificates(#[from] BadCertificates),
    /// Those that customers are shown cannot be used.
    #[error("--https: {0}")]
    Https(BadCertificates),
    /// There are none, and the banks are not all on this machine.
    #[error(
        "nodes.json: {host} is not on this machine, and there are no certificates: anybody on the way could speak as \
         a bank. `netbanking certs` makes them, --certificates names their folder; \"insecure_peers\": true does \
         without"
    )]
    NoCertificates {
        /// A bank's host.
        host: String,
    },
    /// The HTTP server failed.
    #[error("the HTTP server ended: {0}")]
    Server(std::io::Error),
}

/// A running node.
pub struct Node {
    actors: Actors,
    server: ServerHandle,
    running: actix_rt::task::JoinHandle<std::io::Result<()>>,
}

impl Node {
    /// Starts a node on this thread's actix system. When this returns, the node answers requests;
    /// it takes writes once all banks have agreed on a view.
    ///
    /// # Errors
    /// [`NodeError`] when ports or journal cannot be used.
    pub async fn start(options: NodeOptions, draw: DrawNumbers) -> Result<Node, NodeError> {
        let NodeOptions {
            bank: me, config, place, listen, peer_secret, certificates, https, ..
        } = options;
        let transport =
            transport(me, &config, certificates.as_deref())?.keeping_signers_in(place.folder());
        let site = https.map(|folder| Site::load(&folder, me)).transpose();
        let site = site.map_err(NodeError::Https)?;
        let credentials = Credentials { secret: peer_secret, transport };
        let address = &config.nodes[me.index()];
        let host = listen.as_deref().unwrap_or(&address.host);
        let customers = format!("{host}:{}", address.port);
        let pings = format!("{host}:{}", address.heartbeat_port);
        let cannot = |address: &str| {
            let address = address.to_owned();
            move |why| NodeError::Listen { address, why }
        };
        // The ports first: that is a cheap check, and for a second node on the same data it gives
        // an error that names the port.
        let pings = listen_at(&pings).await.map_err(cannot(&pings))?;
        let listener = listen_at(&customers).await.and_then(TcpListener::into_std);
        let listener = listener.map_err(cannot(&customers))?;
        let actors =
            crate::actors::node::start(me, &config, &place, &credentials, pings, web::tell)?;
        if config.customer_auth == CustomerAuth::Open {
            log::warn!(
                "bank {me}: customer_auth is \"open\": anybody moves the money of any account. For \
                 laboratories only"
            );
        }
        if config.laboratory {
            log::warn!(
                "bank {me}: laboratory is on: anybody may delay, stop and cut the links between the \
                 banks at /consorcio"
            );
        }
        let bank = Bank {
            me,
            peer_room: PeerRoom::new(config.nodes.len()),
            config: Arc::new(config),
            secret: credentials.secret.into(),
            certificates: certificates.map(Arc::from),
            https: site.is_some(),
            actors: actors.clone(),
            draw,
        };
        let entrance = Entrance { transport: credentials.transport, site };
        let server =
            http::serve(bank, listener, entrance, web::configure).map_err(NodeError::Server)?;
        let handle = server.handle();
        Ok(Node { actors, server: handle, running: actix_rt::spawn(server) })
    }

    /// Stops cleanly: takes nothing new, lets what is under way end, closes.
    pub async fn stop(self) {
        self.actors.drain().await;
        self.server.stop(true).await;
        self.actors.stop();
    }
}

/// How the bank talks to the others.
fn transport(
    me: BankId,
    config: &Config,
    certificates: Option<&Path>,
) -> Result<Transport, NodeError> {
    let transport = Transport::with(certificates, me, config.nodes.len())?;
    if let Some(folder) = certificates {
        log::info!(
            "bank {me}: connections between banks are encrypted, with the certificates in {}",
            folder.display()
        );
        return Ok(transport);
    }
    match config.nodes.iter().find(|node| !node.is_on_loopback()) {
        Some(node) if !config.insecure_peers => {
            Err(NodeError::NoCertificates { host: node.host.clone() })
        }
        Some(_) => {
            log::warn!(
                "bank {me}: insecure_peers: connections between banks are not encrypted, and whoever \
                 reads one may speak as any bank"
            );
            Ok(transport)
        }
        None => Ok(transport),
    }
}

/// Runs a node until it is told to stop by SIGTERM, SIGINT or, if that was asked for, the end of
/// standard input.
///
/// # Errors
/// [`NodeError`] when it cannot start or its server fails.
pub fn run(options: NodeOptions) -> Result<(), NodeError> {
    actix_rt::System::new().block_on(async {
        let me = options.bank;
        raise_descriptors();
        let stdin_counts = options.stop_with_stdin;
        let mut node = Node::start(options, http::draw_at_random()).await?;
        tokio::select! {
            () = told_to_stop(stdin_counts) => {}
            ended = &mut node.running => return match ended {
                Ok(Err(error)) => Err(NodeError::Server(error)),
                _ => Ok(()),
            },
        }
        log::info!("bank {me}: stopping; new requests get 503");
        node.stop().await;
        log::info!("bank {me}: stopped");
        Ok(())
    })
}

async fn told_to_stop(stdin_counts: bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    };
    let stdin_closed = async {
        if !stdin_counts || end_of_stdin().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
        () = stdin_closed => {}
    }
}

/// Waits for the end of standard input on a thread of its own, which nobody has to wait for when
/// the node ends for another reason.
fn end_of_stdin() -> tokio::sync::oneshot::Receiver<()> {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        name_thread("stdin");
        // An error counts as the end too.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    end
}
