//! What the parts on the path of a package cost, each alone: stamping an event, reading it, signing
//! it and checking that, finding it stable, executing it. `cargo bench --bench parts`.
//!
//! No thread, no disk, no network. What a package costs as a whole is
//! measured by `netbanking bench`; see `docs/benchmarks.md`.

#![allow(clippy::unwrap_used)] // In a benchmark a panic is the finding.

#[path = "../tests/played/mod.rs"]
mod played;

use std::hint::black_box;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netbanking::ids::request::Header;
use netbanking::ids::{Ballot, BankId, BankSet};
use netbanking::protocol::clock::Clock;
use netbanking::protocol::effect::{BufferInput, ClockInput};
use netbanking::protocol::envelope::Envelope;
use netbanking::protocol::event::{Event, Held};
use netbanking::protocol::executor;
use netbanking::protocol::ordered_buffer::OrderedBuffer;
use netbanking::protocol::vector_clock::VectorClock;
use netbanking::protocol::view::{Fates, Installed, PreparePlan, Reach};
use netbanking::tls::Transport;

use self::played::{BANKS, Played, VIEW};

/// Requests in an event.
const BATCHES: [usize; 3] = [1, 16, 256];

/// An event of bank 0 with transfers in it, one in each request.
fn event(requests: usize) -> Event {
    let mut played = Played::new_with(3);
    let held = played.held(requests);
    Event::clone(&held.event)
}

fn installed(members: usize) -> Installed {
    let plan = PreparePlan {
        ballot: VIEW,
        members: BankSet::all(members),
        clock: VectorClock::zero(members),
        ..PreparePlan::default()
    };
    Installed { plan, flush: Vec::new(), fates: Fates::default() }
}

fn clock() -> Clock {
    let mut clock = Clock::new(BankId(0), BANKS);
    let mut out = Vec::new();
    let known = BankSet::all(BANKS);
    for input in [
        ClockInput::Time { base_ms: 0, known },
        ClockInput::Install(installed(BANKS)),
        ClockInput::Reach(Reach::Members),
    ] {
        clock.handle(input, 0, &mut out);
    }
    clock
}

fn stamping(c: &mut Criterion) {
    let mut group = c.benchmark_group("stamp an event");
    for requests in BATCHES {
        let asked = event(requests).requests;
        group.throughput(Throughput::Elements(requests as u64));
        group.bench_function(BenchmarkId::from_parameter(requests), |b| {
            let stamp = |requests| {
                Event::stamp(VIEW, BankId(0), vec![9, 9, 9].into(), requests, Header::default())
            };
            b.iter_batched(|| asked.clone(), stamp, BatchSize::SmallInput);
        });
    }
    group.finish();
    c.bench_function("queue a request and stamp its event", |b| {
        let request = event(1).requests[0].clone();
        let submit = |mut clock: Clock| {
            let mut out = Vec::new();
            clock.handle(ClockInput::Submit(request.clone()), 1, &mut out);
            (clock, out)
        };
        b.iter_batched(clock, submit, BatchSize::SmallInput);
    });
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("read an event");
    for requests in BATCHES {
        let text: Arc<serde_json::value::RawValue> = event(requests).wire().to_owned().into();
        group.throughput(Throughput::Bytes(text.get().len() as u64));
        group.bench_function(BenchmarkId::from_parameter(requests), |b| {
            b.iter(|| Event::from_text(Arc::clone(black_box(&text)), Ballot::default()).unwrap());
        });
    }
    group.finish();
}

/// A peer's event comes, is written, and every other member says that it has written it too.
fn stable(c: &mut Criterion) {
    let mut group = c.benchmark_group("take an event in until it is stable");
    for members in [3, 14, 64] {
        let mut timestamp = VectorClock::zero(members);
        timestamp.count(BankId(1));
        let requests = event(1).requests;
        let event = Event::stamp(VIEW, BankId(1), timestamp.clone(), requests, Header::default());
        let event = Arc::new(event);
        let say = |events: Vec<Arc<Event>>| Envelope {
            view: Some(VIEW),
            events,
            clock: Some(timestamp.clone()),
            gathered: None,
        };
        let run = |mut buffer: OrderedBuffer| {
            let mut out = Vec::new();
            buffer.receive(BankId(1), say(vec![Arc::clone(&event)]), &mut out);
            buffer.handle(BufferInput::Merged(timestamp.clone()), &mut out);
            let clock = timestamp.clone();
            buffer.handle(BufferInput::Persisted { view: VIEW, clock }, &mut out);
            for peer in BankId::all(members).skip(2) {
                buffer.receive(peer, say(Vec::new()), &mut out);
            }
            assert_eq!(buffer.waiting().count(), 0, "it is stable");
            out
        };
        let ready = || {
            let mut buffer = OrderedBuffer::new(BankId(0), members);
            buffer.handle(BufferInput::Install(installed(members)), &mut Vec::new());
            buffer
        };
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter_batched(ready, run, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn executing(c: &mut Criterion) {
    let mut group = c.benchmark_group("execute an event");
    for requests in BATCHES {
        group.throughput(Throughput::Elements(requests as u64));
        group.bench_function(BenchmarkId::from_parameter(requests), |b| {
            let mut played = Played::new_with(3);
            b.iter_custom(|times| {
                let events: Vec<Held> = (0..times).map(|_| played.held(requests)).collect();
                let began = std::time::Instant::now();
                for held in &events {
                    black_box(executor::apply(&mut played.book, held));
                }
                began.elapsed()
            });
        });
    }
    group.finish();
}

/// A folder with what a bank needs to sign: an authority, and a certificate of it.
fn certified(folder: &Path) -> Transport {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let (of_all, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = authority.self_signed(&of_all).unwrap().pem();
    let bank = CertificateParams::new(vec!["bank-0.netbanking".to_owned()]).unwrap();
    let bank = bank.signed_by(&own, &Issuer::new(authority, of_all)).unwrap().pem();
    let files = [("ca.pem", root), ("bank.pem", bank), ("bank.key", own.serialize_pem())];
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    Transport::with(Some(folder), BankId(0), 3).unwrap()
}

fn signing(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let transport = certified(folder.path());
    let signer = transport.signer().unwrap();
    for requests in BATCHES {
        let event = event(requests);
        let text = event.wire().get();
        let signature = signer.sign(text, BankSet::all(3)).unwrap();
        let known = transport.clone();
        known.learn(signature.by, &std::fs::read(folder.path().join("bank.pem")).unwrap()).unwrap();
        c.bench_function(&format!("sign an event/{requests}"), |b| {
            b.iter(|| signer.sign(text, BankSet::all(3)))
        });
        c.bench_function(&format!("check a signature/{requests}"), |b| {
            b.iter(|| assert!(known.is_by(BankId(0), text, &signature)));
        });
    }
}

criterion_group!(parts, stamping, reading, signing, stable, executing);
criterion_main!(parts);
