//! A test plays bank 2. It helps the view to form; from then on it speaks and understands only the
//! four routes of the original seed, one message each, and orders events together with two real
//! nodes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use netbanking::ids::request::Header;
use netbanking::ids::{Ballot, BankId, BankSet, EventId, Position};
use netbanking::ledger::{
    Action, Book, Document, PasswordHash, PersonName, Registration, Request, TypePerson, UserName,
};
use netbanking::protocol::event::{Event, Held, WireEvent};
use netbanking::protocol::executor;
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::report::PeerReport;
use netbanking::protocol::vector_clock::VectorClock;
use netbanking::protocol::view::{Stopped, ViewMessage};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cluster::Cluster;
use crate::customer::{Http, cpf, registration};
use crate::processes::bank::SECRET;

const ME: BankId = BankId(2);
const REAL: [BankId; 2] = [BankId(0), BankId(1)];

/// One message to one real bank; messages are sent in order, each after the answer to the previous.
struct Message {
    path: String,
    body: String,
}

/// What the played bank knows. Its 'disk' never fails, so it acknowledges at once.
struct Played {
    view: Ballot,
    promised: Ballot,
    active: bool,
    clock: VectorClock,
    waiting: BTreeMap<OrderKey, Arc<Event>>,
    acknowledged: HashMap<EventId, BTreeSet<BankId>>,
    book: Book,
    executed: Vec<EventId>,
    checks_heard: usize,
    streams_refused: usize,
    out: Vec<UnboundedSender<Message>>,
}

impl Played {
    fn say(&self, path: &str, body: &str) {
        for line in &self.out {
            line.send(Message { path: path.to_owned(), body: body.to_owned() }).unwrap();
        }
    }

    fn say_to(&self, bank: BankId, path: &str, body: String) {
        self.out[bank.index()].send(Message { path: path.to_owned(), body }).unwrap();
    }

    /// What it says of itself in a heartbeat.
    fn report(&self) -> PeerReport {
        let active = self.active.then_some(self.view);
        PeerReport {
            active,
            promised: self.promised,
            hears: BankSet::all(3),
            ..PeerReport::default()
        }
    }

    fn view_message(&mut self, message: ViewMessage) {
        let answer = |message: ViewMessage| serde_json::to_string(&message).unwrap();
        match message {
            ViewMessage::WouldStop { ballot, .. } => {
                self.say_to(ballot.coordinator, "/peer/view", answer(ViewMessage::Granted(ballot)));
            }
            ViewMessage::Stop(ballot) => {
                self.promised = ballot;
                self.active = false;
                let stopped = Stopped {
                    ballot,
                    prepared: Ballot::default(),
                    voter: false,
                    acted: false,
                    counted: 0,
                    rescue: false,
                    position: Position(0),
                    hash: self.book.hash(),
                    executed: None,
                    held: Vec::new(),
                    clock: VectorClock::zero(3),
                };
                self.say_to(
                    ballot.coordinator,
                    "/peer/view",
                    answer(ViewMessage::Stopped(stopped)),
                );
            }
            ViewMessage::Prepare(plan) => {
                assert!(
                    plan.events.is_empty() && plan.position == Position(0),
                    "nothing has happened yet"
                );
                self.say_to(
                    plan.ballot.coordinator,
                    "/peer/view",
                    answer(ViewMessage::Ready(plan.ballot)),
                );
            }
            ViewMessage::Start(ballot) => {
                self.view = ballot;
                self.active = true;
            }
            // It only asks whether requests arrive.
            ViewMessage::Probe => {}
            other => panic!("not expected by a bank that has nothing: {other:?}"),
        }
    }

    /// Sends an event of its own, and says that its own disk has it.
    fn send(&mut self, request: Request) {
        self.clock.count(ME);
        // The header that the others derive from its time.
        let header = Header { at_ms: request.at_ms.unwrap(), open: false };
        let event = Event::stamp(self.view, ME, self.clock.clone(), vec![request.to_raw()], header);
        let wire = event.to_wire();
        // The seed's message names no view; its content travels unchanged to the letter, as the
        // hash covers the letters.
        let body = json!({"sender": wire.sender, "timestamp": wire.timestamp, "type_msg": wire.type_msg, "id": wire.id});
        let body = body.to_string().replacen('{', &format!("{{\"msg\":{},", wire.msg.get()), 1);
        self.say("/receive-message", &body);
        self.take(Arc::new(event));
    }

    fn take(&mut self, event: Arc<Event>) {
        self.clock.merge(&event.timestamp);
        self.say(&format!("/receiver_ack/{}", event.id), "");
        self.waiting.insert(event.order_key(), event);
        self.execute();
    }

    /// Executes what all have acknowledged, in key order, and announces the outcome.
    fn execute(&mut self) {
        while let Some(first) = self.waiting.first_entry() {
            let acks = self.acknowledged.get(&first.get().id);
            if !REAL.iter().all(|bank| acks.is_some_and(|acks| acks.contains(bank))) {
                return;
            }
            let event = first.remove();
            let held = Held { event: Arc::clone(&event), members: BankSet::all(3) };
            let check = executor::apply(&mut self.book, &held).check;
            self.executed.push(event.id.clone());
            if event.sender == ME {
                let body = json!({"code": check.code, "descript": check.descript});
                self.say(&format!("/init_check_queue/{}", event.id), &body.to_string());
            } else {
                let body =
                    json!({"code": check.code, "descript": check.descript, "msg": "ONE_QUEUE"});
                self.say(&format!("/receiver_one_queue/{}", event.id), &body.to_string());
            }
        }
    }
}

type Shared = web::Data<Rc<RefCell<Played>>>;

fn caller(request: &HttpRequest) -> BankId {
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("authorization"), format!("Bearer {SECRET}"), "peers prove themselves");
    BankId(header("netbanking-bank").parse().unwrap())
}

fn routes(app: &mut web::ServiceConfig) {
    let post = web::post;
    app.route(
        "/peer/view",
        post().to(async |bank: Shared, message: web::Json<ViewMessage>| {
            bank.borrow_mut().view_message(message.into_inner());
            HttpResponse::Ok().json(json!({}))
        }),
    )
    .route(
        "/peer/stream",
        web::get().to(async |bank: Shared| {
            bank.borrow_mut().streams_refused += 1;
            HttpResponse::NotFound().json(json!({"descript": "Rota não encontrada"}))
        }),
    )
    .route(
        "/receive-message",
        post().to(async |bank: Shared, wire: web::Json<WireEvent>| {
            let mut bank = bank.borrow_mut();
            let event = Event::from_wire(wire.into_inner(), bank.view).unwrap();
            if !bank.active || event.view != bank.view {
                return HttpResponse::Conflict().finish();
            }
            bank.take(Arc::new(event));
            HttpResponse::Ok().json(json!({}))
        }),
    )
    .route(
        "/receiver_ack/{id}",
        post().to(async |bank: Shared, request: HttpRequest, id: web::Path<String>| {
            let mut bank = bank.borrow_mut();
            bank.acknowledged
                .entry(EventId::parse(&id).unwrap())
                .or_default()
                .insert(caller(&request));
            bank.execute();
            HttpResponse::Ok().json(json!({}))
        }),
    )
    .route("/init_check_queue/{id}", post().to(heard_check))
    .route("/receiver_one_queue/{id}", post().to(heard_check));
}

async fn heard_check(bank: Shared) -> HttpResponse {
    bank.borrow_mut().checks_heard += 1;
    HttpResponse::Ok().json(json!({}))
}

/// Delivers the messages for one real bank, one after the other.
async fn carry(http: Http, base: String, mut messages: UnboundedReceiver<Message>) {
    while let Some(message) = messages.recv().await {
        loop {
            let request = http
                .client()
                .post(format!("{base}{}", message.path))
                .insert_header(("authorization", format!("Bearer {SECRET}")))
                .insert_header(("netbanking-bank", ME.to_string()));
            match http.call(request, message.body.clone()).await {
                Ok(answer) if answer.status == 200 => break,
                // The real bank has not installed the view yet.
                Ok(answer) if answer.status == 409 => {
                    actix_rt::time::sleep(Duration::from_millis(20)).await
                }
                other => panic!("{}: {other:?}", message.path),
            }
        }
    }
}

/// Answers pings on the heartbeat port.
async fn answer_pings(listener: TcpListener, bank: Rc<RefCell<Played>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let bank = Rc::clone(&bank);
        actix_rt::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let said: Value = serde_json::from_str(&line).unwrap();
                let answer = match said.get("ping") {
                    None => json!({"welcome": true}),
                    Some(ping) => {
                        let mut pong = serde_json::to_value(bank.borrow().report()).unwrap();
                        pong["pong"] = ping.clone();
                        pong["wall_ms"] = netbanking::actors::time::unix_ms().into();
                        pong
                    }
                };
                let written =
                    lines.get_mut().get_mut().write_all(format!("{answer}\n").as_bytes()).await;
                if written.is_err() {
                    return;
                }
            }
        });
    }
}

async fn play(cluster: &Cluster) -> Rc<RefCell<Played>> {
    let lines: Vec<_> = REAL.iter().map(|_| unbounded_channel()).collect();
    let (out, incoming): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    for (bank, messages) in REAL.iter().zip(incoming) {
        actix_rt::spawn(carry(Http::new(), cluster.url(bank.index(), ""), messages));
    }
    let bank = Rc::new(RefCell::new(Played {
        view: Ballot::default(),
        promised: Ballot::default(),
        active: false,
        clock: VectorClock::zero(3),
        waiting: BTreeMap::new(),
        acknowledged: HashMap::new(),
        book: Book::new(3),
        executed: Vec::new(),
        checks_heard: 0,
        streams_refused: 0,
        out,
    }));
    let (port, heartbeat_port) = cluster.ports(ME.index());
    let listener = TcpListener::bind(("127.0.0.1", heartbeat_port)).await.unwrap();
    actix_rt::spawn(answer_pings(listener, Rc::clone(&bank)));
    serve(port, Rc::clone(&bank));
    bank
}

/// The played bank lives on this thread, so the server is a service on it too.
fn serve(port: u16, bank: Rc<RefCell<Played>>) {
    let (to_bank, mut calls) = unbounded_channel::<Call>();
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(to_bank.clone())).default_service(web::to(forward))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", port))
    .unwrap()
    .run();
    actix_rt::spawn(server);
    actix_rt::spawn(async move {
        let app = actix_web::test::init_service(
            App::new().app_data(web::Data::new(bank)).configure(routes),
        )
        .await;
        while let Some(call) = calls.recv().await {
            let mut request = actix_web::test::TestRequest::with_uri(&call.path)
                .method(call.method)
                .set_payload(call.body);
            for (name, value) in call.headers {
                request = request.insert_header((name, value));
            }
            let response = actix_web::test::call_service(&app, request.to_request()).await;
            // The caller may have given up.
            let _ = call.answer.send(response.status().as_u16());
        }
    });
}

struct Call {
    method: actix_web::http::Method,
    path: String,
    headers: Vec<(String, String)>,
    body: web::Bytes,
    answer: tokio::sync::oneshot::Sender<u16>,
}

async fn forward(
    request: HttpRequest,
    body: web::Payload,
    bank: web::Data<UnboundedSender<Call>>,
) -> HttpResponse {
    let method = request.method().clone();
    // What follows a request for another protocol is not a body, and has no end.
    let body = match method {
        actix_web::http::Method::GET => web::Bytes::new(),
        _ => body.to_bytes().await.unwrap(),
    };
    let wanted = ["authorization", "netbanking-bank", "content-type"];
    let header = |name: &&str| {
        let value = request.headers().get(*name)?;
        Some(((*name).to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = wanted.iter().filter_map(header).collect();
    let (answer, answered) = tokio::sync::oneshot::channel();
    bank.send(Call { method, path: request.path().to_owned(), headers, body, answer }).unwrap();
    let status = answered.await.unwrap();
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).json(json!({}))
}

fn own_registration(user: &str, number: u32, name: &str) -> Request {
    let num_cadastro = Document::parse(TypePerson::Pf, &cpf(number), false).unwrap();
    Request {
        id: EventId::new(ME, name),
        at_ms: Some(netbanking::actors::time::unix_ms()),
        key: None,
        by: None,
        own: false,
        offset_s: None,
        confirmed: false,
        action: Action::Register(Registration {
            name: PersonName::parse("Cliente do Banco 2").unwrap(),
            num_cadastro,
            user_name: UserName::parse(user).unwrap(),
            password_hash: PasswordHash::parse(
                "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
            )
            .unwrap(),
            distinct: true,
        }),
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} takes too long");
        actix_rt::time::sleep(Duration::from_millis(10)).await;
    }
}

#[actix_rt::test]
async fn a_bank_that_speaks_only_the_seeds_four_routes_orders_events_together_with_real_nodes() {
    let cluster = Cluster::prepare(3, "sessions");
    let bank = play(&cluster).await;
    cluster.start_bank(0);
    cluster.start_bank(1);
    cluster.wait_ready().await;
    until("the view", || bank.borrow().active).await;

    // Customers of the real banks and of the played one, at the same time and partly with the same
    // user name.
    let http = Http::new();
    let customers = (0..20_u32).map(|index| {
        let url = cluster.url(index as usize % 2, "/register-customer");
        let (http, body) = (&http, registration(&format!("cliente{index}"), &cpf(index)));
        async move { http.post(&url, &body).await }
    });
    let played = async {
        for index in 0..10_u32 {
            bank.borrow_mut().send(own_registration(
                &format!("cliente{}", index * 3),
                100 + index,
                &format!("p{index}"),
            ));
            actix_rt::time::sleep(Duration::from_millis(15)).await;
        }
    };
    let (answers, ()) =
        futures_util::future::join(futures_util::future::join_all(customers), played).await;
    let refused = answers.iter().filter(|answer| answer.status == 400).count();
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 400)), "{answers:?}");

    until("the last event", || bank.borrow().book.position() == Position(30)).await;
    let hash = json!(bank.borrow().book.hash().to_string());
    for real in 0..2 {
        // The last event is the played bank's own: nobody waited for it at the real banks.
        while cluster.status(real).await["position"] != json!(30) {
            actix_rt::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(cluster.status(real).await["hash"], hash, "bank {real} came to the same");
    }
    let bank = bank.borrow();
    let registered = (0..20).filter(|index| {
        bank.book.customer(&UserName::parse(&format!("cliente{index}")).unwrap()).is_some()
    });
    assert_eq!(registered.count(), 20, "each name was taken once, by one bank or the other");
    assert!(refused <= 7, "at most the names that the played bank wanted too");
    assert!(
        bank.streams_refused > 0 && bank.checks_heard > 0,
        "the real banks changed over to the seed's routes"
    );
    assert_eq!(bank.executed.iter().collect::<BTreeSet<_>>().len(), bank.executed.len());
}
