//! The whole route table.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::error::{PathError, QueryPayloadError};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, PathConfig, QueryConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};

use super::freshness::{mark_figures, mark_unless_fresh};
use super::refusal::Refused;
use super::{Bank, accounts, customers, operations, peers, status};

/// All routes of a bank, for a server and for actix's test harness alike.
pub fn configure(bank: Data<Bank>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        app.app_data(bank)
            .app_data(
                PathConfig::default()
                    .error_handler(|_: PathError, _: &HttpRequest| Refused::bad("Caminho inválido").into()),
            )
            .app_data(QueryConfig::default().error_handler(|_: QueryPayloadError, _: &HttpRequest| {
                Refused::bad("Parâmetros da consulta inválidos").into()
            }));
        customer_routes(app);
        peer_routes(app);
        app.default_service(web::to(no_such_route));
    }
}

fn customer_routes(app: &mut ServiceConfig) {
    app.service(at("/check").get(status::check))
        .service(at("/ready").get(status::ready))
        .service(at("/status").get(status::status))
        .service(at("/register-customer").post(customers::register))
        // Browsers send no body with GET, so the seed's route is there for both. Its answer has balances.
        .service(at("/login").wrap(from_fn(mark_figures)).get(customers::login).post(customers::login))
        .service(at("/logout").post(customers::logout))
        .service(read("/accounts_user/{user_name}").get(accounts::list).post(accounts::open))
        .service(at("/create_account").post(accounts::open))
        .service(read("/get_account/{num_account}").get(accounts::read))
        .service(read("/pix/{key}").get(accounts::find_pix))
        .service(at("/operations").post(operations::execute));
}

fn peer_routes(app: &mut ServiceConfig) {
    app.service(at("/receive-message").post(peers::receive_message))
        .service(at("/receiver_ack/{event_id}").post(peers::acknowledge))
        .service(at("/init_check_queue/{event_id}").post(peers::check))
        .service(at("/receiver_one_queue/{event_id}").post(peers::check))
        .service(at("/peer/envelope").post(peers::envelope))
        .service(at("/peer/view").post(peers::view));
}

/// A resource whose other methods are refused in our own words.
fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(wrong_method))
}

/// A resource whose answers say when they may be old.
fn read(
    path: &str,
) -> Resource<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    at(path).wrap(from_fn(mark_unless_fresh))
}

async fn no_such_route() -> Result<HttpResponse, Refused> {
    Err(Refused::not_found("Rota não encontrada"))
}

async fn wrong_method() -> Result<HttpResponse, Refused> {
    Err(Refused::wrong_method())
}
