//! `netbanking check`: whether a bank takes writes, as an exit code; made for a container's health
//! check. With a `nodes.json` it also says how the bank's settings differ from that file.

use std::time::Duration;

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::CommandError;
use super::base_url::BaseUrl;
use crate::config::{Config, Settings};

/// How long the bank may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// What `netbanking check` is told.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Address of the bank
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3050")]
    url: BaseUrl,
    /// Also compare what the bank was started with to this file: banks that differ refuse one
    /// another
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
}

/// The bank does not take writes.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotReady {
    #[error("{url} does not answer: {why}")]
    Silent { url: BaseUrl, why: String },
    #[error("{url} is not ready: it answers {status}; its log says what it waits for")]
    Refusing { url: BaseUrl, status: u16 },
    #[error("{url} runs with settings different from {file}: {difference}")]
    Differs { url: BaseUrl, file: String, difference: String },
}

/// What is read of `/status`.
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    settings: Settings,
}

/// Asks the bank once.
pub(super) fn run(arguments: &CheckArgs) -> Result<(), CommandError> {
    let CheckArgs { url, nodes } = arguments;
    let settings =
        nodes.as_deref().map(Config::load).transpose()?.map(|config| Settings::of(&config));
    actix_rt::System::new().block_on(async {
        // Report first what keeps the bank from becoming ready.
        if let (Some(settings), Some(file)) = (&settings, nodes) {
            compare(url, settings, &file.display().to_string()).await?;
        }
        Ok(check(url).await?)
    })
}

/// Asks the bank what it was started with.
async fn compare(url: &BaseUrl, settings: &Settings, file: &str) -> Result<(), NotReady> {
    let silent = |why: String| NotReady::Silent { url: url.clone(), why };
    let client = url.client(ANSWER_WAIT);
    let mut answer =
        client.get(url.route("/status")).send().await.map_err(|error| silent(error.to_string()))?;
    let status: Status = answer.json().await.map_err(|error| silent(error.to_string()))?;
    match status.settings.difference_to_file(&settings.without_addresses()) {
        Some(difference) => {
            Err(NotReady::Differs { url: url.clone(), file: file.to_owned(), difference })
        }
        None => Ok(()),
    }
}

async fn check(url: &BaseUrl) -> Result<(), NotReady> {
    let client = url.client(ANSWER_WAIT);
    let answer = client.get(url.route("/ready")).send().await;
    let answer =
        answer.map_err(|error| NotReady::Silent { url: url.clone(), why: error.to_string() })?;
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
    async fn only_a_200_means_ready() {
        for (status, ready) in [(200, true), (503, false), (204, false)] {
            let answer = move || async move {
                HttpResponse::build(awc::http::StatusCode::from_u16(status).unwrap()).finish()
            };
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
