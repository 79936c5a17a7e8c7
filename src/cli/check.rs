//! `netbanking check`: whether a bank takes writes, as an exit code; made for a container's health check.

use std::time::Duration;

use clap::Args;

use super::CommandError;
use super::base_url::BaseUrl;
use crate::wire;

/// How long the bank may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// What `netbanking check` is told.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Address of the bank
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3050")]
    url: BaseUrl,
}

/// The bank does not take writes.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotReady {
    #[error("{url} does not answer: {why}")]
    Silent { url: BaseUrl, why: String },
    #[error("{url} is not ready: it answers {status}; its log says what it waits for")]
    Refusing { url: BaseUrl, status: u16 },
}

/// Asks the bank once.
pub(super) fn run(arguments: &CheckArgs) -> Result<(), CommandError> {
    Ok(actix_rt::System::new().block_on(check(&arguments.url))?)
}

async fn check(url: &BaseUrl) -> Result<(), NotReady> {
    let client = wire::client(1, ANSWER_WAIT);
    let answer = client.get(url.route("/ready")).send().await;
    let answer = answer.map_err(|error| NotReady::Silent { url: url.clone(), why: error.to_string() })?;
    match answer.status().as_u16() {
        200 => Ok(()),
        status => Err(NotReady::Refusing { url: url.clone(), status }),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpResponse, HttpServer, web};

    use super::*;

    #[actix_rt::test]
    async fn only_a_200_is_ready() {
        for (status, ready) in [(200, true), (503, false), (204, false)] {
            let answer =
                move || async move { HttpResponse::build(awc::http::StatusCode::from_u16(status).unwrap()).finish() };
            let server = HttpServer::new(move || App::new().route("/ready", web::get().to(answer)))
                .workers(1)
                .bind(("127.0.0.1", 0))
                .unwrap();
            let url: BaseUrl = format!("http://{}", server.addrs()[0]).parse().unwrap();
            let server = server.run();
            let handle = server.handle();
            actix_rt::spawn(server);
            assert_eq!(check(&url).await.is_ok(), ready, "{status}");
            handle.stop(false).await;
        }
    }
}
