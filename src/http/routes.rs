//! The whole route table.

use actix_web::dev::HttpServiceFactory;
use actix_web::error::{PathError, QueryPayloadError, UrlencodedError};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, FormConfig, PathConfig, QueryConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::auth::Known;
use super::body::Memory;
use super::freshness::{mark_figures, mark_unless_fresh};
use super::methods::{Methods, at};
use super::refusal::{Bad, Refused};
use super::turns::LongWork;
use super::{
    Bank, accounts, arrivals, body_bytes_per_worker, customers, joint, keys, limits, operations,
    past, peers, profile, refunds, schedules, sessions, status,
};

/// All routes of a bank, for a server and for actix's test harness alike.
pub(crate) fn configure(bank: Data<Bank>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        app.app_data(Memory::new(body_bytes_per_worker(&bank.config.limits)))
            .app_data(Known::default())
            .app_data(LongWork::new())
            .app_data(bank)
            .app_data(
                PathConfig::default()
                    .error_handler(|_: PathError, _: &HttpRequest| Refused::from(Bad::Path).into()),
            )
            .app_data(FormConfig::default().error_handler(|_: UrlencodedError, _: &HttpRequest| {
                Refused::from(Bad::Form).into()
            }))
            .app_data(QueryConfig::default().error_handler(
                |_: QueryPayloadError, _: &HttpRequest| Refused::from(Bad::Query).into(),
            ));
        customer_routes(app);
        peer_routes(app);
        app.default_service(web::to(no_such_route));
    }
}

fn customer_routes(app: &mut ServiceConfig) {
    // Routes are tried one after another, so what is asked most often comes first.
    app.service(at("/operations").post(operations::execute).resource())
        .service(at("/check").get(status::check).resource())
        .service(at("/ready").get(status::ready).resource())
        .service(at("/status").get(status::status).resource())
        .service(at("/register-customer").post(customers::register).resource())
        // Browsers send no body with GET, so the requirement's route exists for both methods. Its
        // answer has balances.
        .service(
            at("/login")
                .get(customers::login)
                .post(customers::login)
                .resource()
                .wrap(from_fn(mark_figures)),
        )
        .service(at("/password").post(customers::change_password).resource())
        .service(at("/sessions").get(sessions::list).resource())
        .service(at("/sessions/end").post(sessions::end).resource())
        .service(at("/logout").post(customers::logout).resource())
        .service(read(at("/accounts_user/{user_name}").get(accounts::list).post(accounts::open)))
        .service(at("/create_account").post(accounts::open).resource())
        .service(read(at("/joint_requests").get(joint::list)))
        .service(at("/joint_requests/{bank}/{num_account}").post(joint::answer).resource())
        .service(read(at("/get_account/{num_account}").get(accounts::read)))
        .service(at("/arrivals").get(arrivals::watch).resource())
        // A key may contain a slash, as that of a CNPJ does.
        .service(read(at("/pix/{key:.+}").get(accounts::find_pix)))
        .service(read(at("/limits").get(limits::show).post(limits::change)))
        .service(read(at("/profile").get(profile::show)))
        .service(at("/nickname").post(profile::nickname).resource())
        .service(at("/favourites").post(profile::favourite).resource())
        .service(at("/favourites/remove").post(profile::forget).resource())
        .service(at("/close_account").post(profile::close).resource())
        .service(read(at("/schedules").get(schedules::list).post(schedules::plan)))
        .service(at("/schedules/{number}/cancel").post(schedules::cancel).resource())
        .service(read(at("/refunds/{bank}/{num_account}/{entry}").get(refunds::read)))
        .service(at("/refunds").post(refunds::give_back).resource())
        .service(read(at("/keys/{bank}/{num_account}").get(keys::list)))
        .service(at("/keys").post(keys::add).resource())
        .service(at("/keys/remove").post(keys::remove).resource())
        .service(at("/keys/move").post(keys::pass_on).resource());
}

fn peer_routes(app: &mut ServiceConfig) {
    app.service(at("/receive-message").post(peers::receive_message).resource())
        .service(at("/receiver_ack/{event_id}").post(peers::acknowledge).resource())
        .service(at("/init_check_queue/{event_id}").post(peers::check).resource())
        .service(at("/receiver_one_queue/{event_id}").post(peers::check).resource())
        .service(at("/peer/envelope").post(peers::envelope).resource())
        .service(at("/peer/view").post(peers::view).resource())
        .service(at("/peer/certificate/{id}").get(peers::certificate).resource())
        .service(at("/peer/past/{first}/{what}").get(past::read).resource());
}

/// A resource whose answers say when they may be old.
fn read(methods: Methods) -> impl HttpServiceFactory {
    methods.resource().wrap(from_fn(mark_unless_fresh))
}

async fn no_such_route() -> Result<HttpResponse, Refused> {
    Err(Refused::NoSuchRoute)
}
