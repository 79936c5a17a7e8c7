//! Whatever route somebody takes, they read and change nothing of another customer's. The routes
//! are those that `/openapi.json` describes: one that is new has to be tried here too.

use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{self, TestRequest};
use serde_json::{Value, json};

use crate::browser::{Browser, one_bank};
use crate::description::DESCRIBED;
use crate::harness::service;
use crate::schedules::after;

/// What Ana has, as no other text has it: R$ 5.431,77.
const OF_ANA: [&str; 4] = ["5.431", "5431.77", "5431,77", "543177"];
/// Who registers or logs in is nobody yet.
const OPEN_TO_ALL: [&str; 6] =
    ["/register-customer", "/login", "/cadastro", "/entrar", "/sair", "/logout"];

/// Ana's, as the attacker has found it out.
struct Ana {
    token: String,
    place: String,
    number: u64,
    schedule: u64,
}

/// Sends a request with a token in the ways of programs and of pages.
async fn send<S, B>(service: &S, token: Option<&str>, request: TestRequest) -> (u16, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let request = match token {
        Some(token) => request
            .insert_header(("authorization", format!("Bearer {token}")))
            .insert_header(("cookie", format!("netbanking-0={token}"))),
        None => request,
    };
    let answer = test::call_service(service, request.to_request()).await;
    let status = answer.status().as_u16();
    // A stream has no end.
    if answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return (status, String::new());
    }
    (status, String::from_utf8_lossy(&test::read_body(answer).await).into_owned())
}

impl Ana {
    /// A path of the description with what is hers in it.
    fn fill(&self, path: &str) -> String {
        let parts = path.split('}').map(|part| match part.split_once('{') {
            Some((before, "account")) => format!("{before}{}", self.place),
            Some((before, "num_account")) => format!("{before}{}", self.number),
            Some((before, "bank" | "entry")) => format!("{before}0"),
            Some((before, "number")) => format!("{before}{}", self.schedule),
            Some((before, "key")) => format!("{before}0:ana"),
            Some((before, "user_name")) => format!("{before}ana"),
            Some((before, _)) => format!("{before}k"),
            None => part.to_owned(),
        });
        parts.collect()
    }

    /// What programs could send to a route, to get at what is hers.
    fn bodies(&self, path: &str) -> Vec<Value> {
        let number = self.number;
        let package =
            |operation: Value| json!({"0": {number.to_string(): {"package": [operation]}}});
        let account = json!({"bank": 0, "num_account": number});
        let with = |more: Value| {
            let mut body = account.as_object().unwrap().clone();
            body.extend(more.as_object().unwrap().clone());
            Value::Object(body)
        };
        let opening = json!({"user_name": "ana", "password": "a wrong one", "type_account": "PF",
            "pix_type": "RANDOM", "users": [], "value_init": 50});
        match path {
            "/operations" => vec![
                package(json!({"type": "WITHDRAW", "value": 1, "sender": number})),
                package(json!({"type": "TRANSFER", "value": 1, "sender": number, "pix": "0:eve"})),
                package(json!({"type": "DEPOSIT", "value": 1, "sender": number})),
            ],
            "/accounts_user/{user_name}" | "/create_account" => vec![opening],
            "/joint_requests/{bank}/{num_account}" => vec![json!({"accept": true})],
            "/limits" => {
                vec![json!({"day": 1}), json!({"confirm_above": 1, "password": "wrong one"})]
            }
            "/nickname" => vec![with(json!({"name": "Minha"}))],
            "/favourites" => vec![json!({"kay_pix": "0:ana", "name": "Ana"})],
            "/favourites/remove" => vec![json!({"kay_pix": "0:eve"})],
            "/close_account" => vec![account.clone()],
            "/schedules" => {
                vec![with(json!({"pix": "0:eve", "value": 1, "day": after(30)}))]
            }
            "/schedules/{number}/cancel" => vec![json!({})],
            "/refunds" => vec![with(json!({"entry": 0, "value": 1}))],
            "/keys" => vec![with(json!({"type": "RANDOM"}))],
            "/keys/remove" => vec![json!({"kay_pix": "0:ana"})],
            "/keys/move" => vec![json!({"kay_pix": "0:ana", "num_account": number})],
            "/password" => vec![json!({"user_name": "ana", "password": "a wrong one",
                "new_password": "escolhida por outra"})],
            "/sessions/end" => vec![json!({"session": 1})],
            _ => Vec::new(),
        }
    }

    /// What forms could send to a page, by the names that its description has.
    fn forms(&self, fields: &Value) -> Vec<String> {
        let names: Vec<_> = fields.as_object().into_iter().flat_map(|all| all.keys()).collect();
        let value = |name: &str, act: &str| match name {
            "acao" => act.to_owned(),
            "chave" => format!("others-{act}"),
            "op" => format!("S.{}.100", self.place.replace('-', ".")),
            "pix" | "chave_pix" | "favorito" => "0:ana".to_owned(),
            "valor" => "1".to_owned(),
            "numero" | "agendamento" => self.schedule.to_string(),
            "senha" => "12345678".to_owned(),
            // So that the sessions go on.
            "nova2" => "another one".to_owned(),
            _ => self.place.clone(),
        };
        let form = |act: &String| {
            let fields = names.iter().map(|name| format!("{name}={}", value(name, act)));
            fields.collect::<Vec<_>>().join("&")
        };
        actions().iter().map(form).collect()
    }

    /// All that she sees of herself.
    async fn seen<S, B>(&self, service: &S) -> Vec<(u16, String)>
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody,
    {
        let mut all = Vec::new();
        let account = format!("/get_account/{}", self.number);
        let keys = format!("/keys/0/{}", self.number);
        for path in ["/accounts_user/ana", &account, &keys, "/limits", "/profile", "/schedules"] {
            let seen = send(service, Some(&self.token), TestRequest::get().uri(path)).await;
            assert_eq!(seen.0, 200, "{path}: {seen:?}");
            all.push(seen);
        }
        all
    }
}

/// What the buttons of all pages do.
fn actions() -> Vec<String> {
    let mut actions = Vec::new();
    let mut folders = vec![std::path::PathBuf::from("templates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let values = text.split("name=\"acao\"").skip(1);
            let values = values.filter_map(|rest| rest.split_once("value=\"")?.1.split('"').next());
            actions.extend(values.map(|value| match value.split_once("{{") {
                Some((before, _)) => format!("{before}0"),
                None => value.to_owned(),
            }));
        }
    }
    actions.sort();
    actions.dedup();
    assert!(actions.len() > 5, "{actions:?}");
    actions
}

/// Everything that is described for others than banks: the path, the method, the description.
fn routes() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DESCRIBED["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, is)| (&**path, &**method, is))
    });
    all.filter(|(_, _, is)| is["tags"][0] != "between banks")
}

/// All that can be asked, with Ana's things in it.
fn attempts(ana: &Ana) -> Vec<(String, TestRequest)> {
    let mut attempts = Vec::new();
    for (path, method, described) in routes() {
        let (uri, name) = (ana.fill(path), format!("{method} {path}"));
        let request =
            || TestRequest::with_uri(&uri).insert_header(("sec-fetch-site", "same-origin"));
        if method == "get" {
            attempts.push((name, request()));
            continue;
        }
        if OPEN_TO_ALL.contains(&path) || path.starts_with("/consorcio/") {
            continue;
        }
        let request = || request().method(Method::POST);
        let content = &described["requestBody"]["content"];
        let form = &content["application/x-www-form-urlencoded"]["schema"]["properties"];
        let bodies: Vec<_> = if described["tags"][0] == "pages" {
            let kind = ("content-type", "application/x-www-form-urlencoded");
            let forms = ana.forms(form).into_iter();
            forms.map(|form| request().insert_header(kind).set_payload(form)).collect()
        } else {
            let bodies = ana.bodies(path).into_iter();
            bodies.map(|body| request().set_payload(body.to_string())).collect()
        };
        assert!(!bodies.is_empty(), "{name}: what would somebody send who is after another's?");
        attempts.extend(bodies.into_iter().map(|request| (name.clone(), request)));
    }
    attempts
}

#[actix_web::test]
async fn no_route_shows_or_changes_anything_of_another_customer() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    let token = |browser: &Browser<'_, _>| {
        browser.cookie.as_ref().unwrap().split_once('=').unwrap().1.to_owned()
    };
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = browser.open("5.431,77", "USER_NAME").await;
    let number = place.split_once('-').unwrap().1.parse().unwrap();
    let mut ana = Ana { token: token(&browser), place, number, schedule: 0 };
    browser.cookie = None;
    browser.register("Eve Lima", "eve", "222.222.222-22").await;
    browser.open("50", "USER_NAME").await;
    let plan = json!({"bank": 0, "num_account": number, "pix": "0:eve", "value": 1,
        "day": after(30)});
    let request = TestRequest::post().uri("/schedules").set_payload(plan.to_string());
    let planned = send(&service, Some(&ana.token), request).await;
    assert_eq!(planned.0, 200, "{planned:?}");
    let planned: Value = serde_json::from_str(&planned.1).unwrap();
    ana.schedule = planned["position"].as_u64().unwrap();
    let eve = token(&browser);
    let before = ana.seen(&service).await;
    assert!(before.iter().any(|(_, text)| OF_ANA.iter().any(|of_ana| text.contains(of_ana))));
    for who in [None, Some(eve.as_str())] {
        for (name, request) in attempts(&ana) {
            let (status, text) = send(&service, who, request).await;
            let shown = OF_ANA.iter().find(|of_ana| text.contains(*of_ana));
            assert_eq!(shown, None, "{name} as {who:?} answers {status}: {text}");
            assert!(status < 500, "{name} as {who:?} answers {status}: {text}");
        }
    }
    assert_eq!(ana.seen(&service).await, before);
    // All of it means something only because she herself can do it.
    let mut shown = 0;
    for (_, request) in attempts(&ana) {
        let (_, text) = send(&service, Some(&ana.token), request).await;
        shown += usize::from(OF_ANA.iter().any(|of_ana| text.contains(of_ana)));
    }
    assert!(shown > 10, "{shown}");
    assert_ne!(ana.seen(&service).await, before);
}

#[actix_web::test]
async fn no_form_of_another_site_does_anything() {
    let (bank, _data) = one_bank().await;
    let service = service(&bank).await;
    let mut browser = Browser::new(&service);
    browser.register("Ana Souza", "ana", "111.111.111-11").await;
    let place = browser.open("100", "USER_NAME").await;
    let token = browser.cookie.as_ref().unwrap().split_once('=').unwrap().1.to_owned();
    let number = place.split_once('-').unwrap().1.parse().unwrap();
    let ana = Ana { token, place, number, schedule: 1 };
    let before = ana.seen(&service).await;
    let mut tried = 0;
    for (path, method, described) in routes() {
        // There is no laboratory here.
        let is_form = described["tags"][0] == "pages" && !path.starts_with("/consorcio/");
        if method != "post" || !is_form {
            continue;
        }
        let content = &described["requestBody"]["content"];
        let form = &content["application/x-www-form-urlencoded"]["schema"]["properties"];
        for (header, from) in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")]
        {
            for form in ana.forms(form) {
                let request = TestRequest::post()
                    .uri(&ana.fill(path))
                    .insert_header(("host", "bank.example"))
                    .insert_header((header, from))
                    .insert_header(("content-type", "application/x-www-form-urlencoded"))
                    .set_payload(form);
                // A browser sends the cookie, if a page could make it do so.
                let (status, text) = send(&service, Some(&ana.token), request).await;
                let is_refused = matches!(status, 403 | 404);
                assert!(is_refused, "{path} from {from} answers {status}: {text}");
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried}");
    assert_eq!(ana.seen(&service).await, before);
}
