//! What a consortium has become: it is filled with customers, and then every bank is asked how much
//! of its machine it takes and how long a start and a read take.
//!
//! All of it goes through the common order. The customers come from the banks' laboratories, which
//! hash one password for a thousand of them: hashing two for each, as the customer API does, would
//! take most of a day for a million.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use awc::http::StatusCode;
use awc::http::header::{ACCEPT, ORIGIN};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::BenchError;
use super::random::SplitMix64;
use super::set_up::{self, Customer};
use crate::cli::base_url::BaseUrl;

/// Customers of one request to a bank.
const AT_ONCE: u32 = 500;
/// Requests under way at each bank.
const CONNECTIONS: usize = 2;
/// How often the page is read whose time is measured.
const READS: usize = 21;
/// How long a bank may take over one request.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// The largest page of a statement, in bytes.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// Reads a number that may end in a power of ten: `250000`, `1e6`.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let (digits, power) = text.split_once('e').unwrap_or((text, "0"));
    let parsed = digits.parse::<u64>().ok().zip(power.parse::<u32>().ok());
    parsed
        .and_then(|(digits, power)| digits.checked_mul(10_u64.checked_pow(power)?))
        .filter(|count| (1..=1_000_000_000).contains(count))
        .ok_or_else(|| "a number from 1 to 1e9 is expected".to_owned())
}

/// Reads `customers=1e6`.
pub(super) fn customers(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("customers=").ok_or("customers=N is expected".to_owned())?;
    let customers = u32::try_from(count(digits)?).ok();
    customers
        .filter(|customers| *customers < set_up::CPF_NUMBERS)
        .ok_or_else(|| format!("at most {} customers have a CPF", set_up::CPF_NUMBERS - 1))
}

/// Registers customers and opens an account for each, spread over the banks, which have to be
/// laboratories.
pub(super) async fn fill(
    urls: &[BaseUrl],
    customers: u32,
    random: &mut SplitMix64,
) -> Result<(), BenchError> {
    let bar = Rc::new(ProgressBar::new(customers.into()));
    let (workers, first) = (urls.len() * CONNECTIONS, set_up::a_cpf_number(random));
    // The numbers of one filling follow one another, also where they begin anew.
    let first = first.min(set_up::CPF_NUMBERS - customers);
    let mut running = JoinSet::new();
    for worker in 0..workers {
        let url = urls[worker % urls.len()].clone();
        let bar = Rc::clone(&bar);
        running.spawn_local(async move {
            let client = url.client(ANSWER_WAIT);
            let batches = (0..customers).step_by(AT_ONCE as usize);
            for begin in batches.skip(worker).step_by(workers) {
                let count = AT_ONCE.min(customers - begin);
                enter(&url, &client, first + begin, count).await?;
                bar.inc(count.into());
            }
            Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("filling does not panic")?;
    }
    bar.finish_and_clear();
    Ok(())
}

#[derive(Deserialize)]
struct Entered {
    abertas: u32,
}

/// Has a bank register so many customers, whose CPFs begin at this number.
async fn enter(
    url: &BaseUrl,
    client: &awc::Client,
    first: u32,
    count: u32,
) -> Result<(), BenchError> {
    let silent = |why: String| BenchError::Silent { url: url.to_string(), why };
    let mut answer = client
        .post(url.route("/consorcio/laboratorio/clientes"))
        // What a browser says of a form of the bank's own page.
        .insert_header((ORIGIN, url.to_string()))
        .insert_header((ACCEPT, "application/json"))
        .send_form(&[("primeiro", first), ("quantos", count)])
        .await
        .map_err(|error| silent(error.to_string()))?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Err(BenchError::NoLaboratory { url: url.to_string() });
    }
    let body = answer.body().await.map_err(|error| silent(error.to_string()))?;
    let entered = serde_json::from_slice(&body).map(|Entered { abertas }| abertas);
    match (answer.status().as_u16(), entered) {
        (200, Ok(opened)) if opened == count => Ok(()),
        (200, Ok(opened)) => Err(BenchError::Unexpected {
            url: url.to_string(),
            what: format!("{opened} of {count} customers have an account"),
        }),
        (status, _) => {
            let descript = set_up::descript(&body);
            Err(BenchError::SetUp { url: url.to_string(), status, descript })
        }
    }
}

/// How large a bank has become.
#[derive(Debug, Serialize)]
pub(super) struct Size {
    url: String,
    position: u64,
    entries: u64,
    memory_bytes: Option<u64>,
    disk_bytes: u64,
    /// How long its last start took, in milliseconds.
    start_ms: u64,
    /// How long it takes to read the newest 1,000 entries of a busy account, in milliseconds: the
    /// median.
    read_ms: f64,
}

#[derive(Deserialize)]
struct Status {
    bank: u16,
    position: u64,
    past: Past,
    footprint: Footprint,
}

#[derive(Deserialize)]
struct Past {
    entries: u64,
}

#[derive(Deserialize)]
struct Footprint {
    memory_bytes: Option<u64>,
    disk_bytes: u64,
    start_ms: u64,
}

/// Asks every bank.
pub(super) async fn sizes(urls: &[BaseUrl], customer: &Customer) -> Result<Vec<Size>, BenchError> {
    let mut sizes = Vec::with_capacity(urls.len());
    for (url, token) in urls.iter().zip(&customer.tokens) {
        sizes.push(size(url, token, customer).await?);
    }
    Ok(sizes)
}

fn unexpected(url: &BaseUrl, what: &str) -> BenchError {
    BenchError::Unexpected { url: url.to_string(), what: format!("/status: {what}") }
}

async fn status(url: &BaseUrl, token: &str) -> Result<Status, BenchError> {
    let status = get(url, &url.route("/status"), token).await?;
    serde_json::from_slice(&status).map_err(|error| unexpected(url, &error.to_string()))
}

/// The number of a bank.
pub(super) async fn number(url: &BaseUrl, token: &str) -> Result<u16, BenchError> {
    Ok(status(url, token).await?.bank)
}

async fn size(url: &BaseUrl, token: &str, customer: &Customer) -> Result<Size, BenchError> {
    let Status { bank, position, past, footprint } = status(url, token).await?;
    let account = customer.accounts.iter().find(|account| account.bank == bank);
    let number = account.ok_or_else(|| unexpected(url, "no account is of this bank"))?.number;
    let page = url.route(&format!("/get_account/{number}?limit=1000"));
    let mut times = Vec::with_capacity(READS);
    for _ in 0..READS {
        let began = Instant::now();
        get(url, &page, token).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(Size {
        url: url.to_string(),
        position,
        entries: past.entries,
        memory_bytes: footprint.memory_bytes,
        disk_bytes: footprint.disk_bytes,
        start_ms: footprint.start_ms,
        read_ms: times[READS / 2].as_secs_f64() * 1_000.0,
    })
}

async fn get(url: &BaseUrl, address: &str, token: &str) -> Result<Vec<u8>, BenchError> {
    let silent = |why: String| BenchError::Silent { url: address.to_owned(), why };
    let asked = url
        .client(ANSWER_WAIT)
        .get(address)
        .insert_header(("authorization", format!("Bearer {token}")));
    let mut answer = asked.send().await.map_err(|error| silent(error.to_string()))?;
    let body = answer.body().limit(PAGE_BYTES_MAX).await;
    let body = body.map_err(|error| silent(error.to_string()))?;
    match answer.status().as_u16() {
        200 => Ok(body.to_vec()),
        status => Err(BenchError::SetUp {
            url: address.to_owned(),
            status,
            descript: set_up::descript(&body),
        }),
    }
}

/// One line each, as a table.
pub(super) struct Table<'a>(pub(super) &'a [Size]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["positions", "entries", "memory MB", "disk MB", "start ms", "read ms"];
        writeln!(f, "size       {}", titles.map(|title| format!("{title:>12}")).join(" "))?;
        for size in self.0 {
            let memory =
                size.memory_bytes.map_or("-".into(), |bytes| (bytes / 1_000_000).to_string());
            writeln!(
                f,
                "           {:>12} {:>12} {memory:>12} {:>12} {:>12} {:>12.1}  {}",
                size.position,
                size.entries,
                size.disk_bytes / 1_000_000,
                size.start_ms,
                size.read_ms,
                size.url
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_end_in_a_power_of_ten() {
        for (text, expected) in
            [("1", 1), ("250000", 250_000), ("1e6", 1_000_000), ("25e4", 250_000)]
        {
            assert_eq!(count(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "e6", "1e", "1e10", "1.5e6", "-1", "1e99"] {
            assert!(count(text).is_err(), "{text}");
        }
        assert_eq!(customers("customers=1e4"), Ok(10_000));
        assert!(customers("1e4").is_err() && customers("accounts=3").is_err());
    }
}
