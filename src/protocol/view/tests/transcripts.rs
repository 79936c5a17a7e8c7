//! View changes as readable files: commands, and below each what came of it, line by line. The test
//! replays the commands and compares. Anybody who changes what banks say to each other sees the
//! consequences in the diff of these files. Modelled on the data-driven tests of etcd's raft.
//!
//! `TRANSCRIPTS=write cargo test --lib transcripts` writes the files anew.
//!
//! | command | what it does |
//! |---|---|
//! | `banks N` | starts N banks, all with empty disks |
//! | `run N` | lets N ticks of 0.1 s pass; messages arrive at once |
//! | `run N killing B after KIND reached C` | the same, and B dies as soon as C has received that message from it |
//! | `run N losing KIND to C` | the same, and these messages to C are lost |
//! | `kill B`, `restart B`, `wipe B` | B dies; starts again with its disk; starts again with an empty one |
//! | `cut A B`, `join A B` | A and B no longer hear each other; hear each other again |
//! | `block A B`, `open A B` | heartbeats pass, but messages from A to B do not; they pass again |
//! | `slow A B`, `well A B` | A finds B too slow; no longer does |
//! | `watch A B`, `trust A B` | A still watches the return of B; no longer does |
//! | `event S [1,0,0] at A B` | A and B have this event of S on disk, stamped in the view in force |

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;

/// A message in one line, named as in the drawing on the documentation page of `view`.
pub(super) fn told(message: &ViewMessage) -> String {
    match message {
        ViewMessage::Join => "JOIN".into(),
        ViewMessage::Probe => "PROBE".into(),
        ViewMessage::WouldStop { ballot, away, joining } => {
            let mut text = format!("WOULD-STOP {ballot}");
            for (word, banks) in [("without", away), ("with", joining)] {
                if !banks.is_empty() {
                    write!(text, " {word} {banks}").unwrap();
                }
            }
            text
        }
        ViewMessage::Granted(ballot) => format!("GRANTED {ballot}"),
        ViewMessage::Stop(ballot) => format!("STOP {ballot}"),
        ViewMessage::Stopped(Stopped {
            ballot, prepared, voter, position, held, clock, ..
        }) => {
            let counts = if *voter { "" } else { ", counts for nothing" };
            let held = held.len();
            format!(
                "STOPPED {ballot}: prepared {prepared}, executed through {position}, holds {held} more, {clock}{counts}"
            )
        }
        ViewMessage::Refused { refused, promised } => {
            format!("REFUSED {refused}: promised {promised}")
        }
        ViewMessage::Forgotten(ballot) => format!("FORGOTTEN {ballot}"),
        ViewMessage::Prepare(PreparePlan {
            ballot,
            members,
            position,
            source,
            clock,
            events,
            founding,
            ..
        }) => {
            let founding = if *founding { ", founding" } else { "" };
            let events = events.len();
            format!(
                "PREPARE {ballot}: {members} from {position} of {source}, {events} events, {clock}{founding}"
            )
        }
        ViewMessage::Working { ballot, progress } => format!("WORKING {ballot}: {progress}"),
        ViewMessage::Ready(ballot) => format!("READY {ballot}"),
        ViewMessage::Start(ballot) => format!("START {ballot}"),
        ViewMessage::FetchJournal { after, .. } => format!("FETCH-JOURNAL after {after}"),
        ViewMessage::JournalPiece { after, entries, .. } => {
            format!("JOURNAL after {after}: {} events", entries.len())
        }
        ViewMessage::FetchSnapshot { index, from, .. } => {
            format!("FETCH-SNAPSHOT piece {index} from {from}")
        }
        ViewMessage::SnapshotPart { piece, from, of } => {
            format!("SNAPSHOT piece {} from {from} of {of}", piece.index)
        }
        ViewMessage::FetchRun { name, from, .. } => {
            format!("FETCH-RUN {} from {from}", name.number)
        }
        ViewMessage::RunPart { name, from, of, .. } => {
            format!("RUN {} from {from} of {of}", name.number)
        }
        ViewMessage::FetchEvents { ballot, keys } => {
            format!("FETCH-EVENTS {ballot}: {}", keys.len())
        }
        ViewMessage::Events { ballot, events } => format!("EVENTS {ballot}: {}", events.len()),
    }
}

/// A file's comments and commands, each command with what came of it.
struct Transcript {
    path: PathBuf,
    text: String,
}

impl Transcript {
    fn replay(&self) -> String {
        let mut player = Player { consortium: Consortium::empty(1), told: 0 };
        let mut text = String::new();
        for line in self.text.lines() {
            if let Some(command) = line.strip_prefix("> ") {
                writeln!(text, "> {command}").unwrap();
                let came_of_it = player
                    .obey(command)
                    .unwrap_or_else(|| panic!("{}: {command}?", self.path.display()));
                came_of_it.iter().for_each(|line| writeln!(text, "{line}").unwrap());
            } else if line.is_empty() || line.starts_with('#') {
                writeln!(text, "{line}").unwrap();
            }
        }
        text
    }
}

struct Player {
    consortium: Consortium,
    /// How many lines of the consortium's story have been told.
    told: usize,
}

impl Player {
    /// Returns what came of a command; `None` if the text is not a command.
    fn obey(&mut self, command: &str) -> Option<Vec<String>> {
        let words: Vec<_> = command.split_whitespace().collect();
        let number = |at: usize| words.get(at)?.parse::<u16>().ok();
        let pair = || Some((BankId(number(1)?), BankId(number(2)?)));
        let consortium = &mut self.consortium;
        match *words.first()? {
            "banks" => (*consortium, self.told) = (Consortium::empty(usize::from(number(1)?)), 0),
            "run" => return self.run(usize::from(number(1)?), &words[2..]),
            "kill" => consortium.kill(number(1)?),
            "restart" => consortium.restart(number(1)?),
            "wipe" => consortium.wipe(number(1)?),
            "cut" => consortium.cut.push(pair()?),
            "join" => forget(&mut consortium.cut, pair()?),
            "block" => consortium.blocked.push(pair()?),
            "open" => forget(&mut consortium.blocked, pair()?),
            "slow" => consortium.slow.push(pair()?),
            "well" => forget(&mut consortium.slow, pair()?),
            "watch" => consortium.returning.push(pair()?),
            "trust" => forget(&mut consortium.returning, pair()?),
            "event" => {
                let stamp: Vec<u64> = words
                    .get(2)?
                    .trim_matches(['[', ']'])
                    .split(',')
                    .flat_map(str::parse)
                    .collect();
                let holders: Vec<u16> =
                    words.get(4..)?.iter().flat_map(|bank| bank.parse()).collect();
                consortium.hold(number(1)?, stamp, &holders);
            }
            _ => return None,
        }
        Some(self.news())
    }

    fn run(&mut self, ticks: usize, condition: &[&str]) -> Option<Vec<String>> {
        let is_kind = |message: &ViewMessage, kind: &str| {
            told(message).split([' ', ':']).next() == Some(kind)
        };
        match *condition {
            [] => self.consortium.run(ticks),
            ["killing", victim, "after", kind, "reached", to] => {
                let (victim, to) = (victim.parse().ok()?, BankId(to.parse().ok()?));
                for _ in 0..ticks {
                    self.consortium.tick_until(|from, at, message| {
                        from == BankId(victim) && at == to && is_kind(message, kind)
                    });
                    if self.consortium.stopped_at.take().is_some() {
                        self.consortium.kill(victim);
                        self.consortium.story.push(format!("  bank {victim} dies"));
                        self.consortium.deliver(|_, _| false);
                    }
                }
            }
            ["losing", kind, "to", to] => {
                let to = BankId(to.parse().ok()?);
                self.consortium.run_losing(ticks, |at, message| at == to && is_kind(message, kind));
            }
            _ => return None,
        }
        Some(self.news())
    }

    fn news(&mut self) -> Vec<String> {
        let news = self.consortium.story[self.told..].to_vec();
        self.told = self.consortium.story.len();
        news
    }
}

fn forget(pairs: &mut Vec<(BankId, BankId)>, pair: (BankId, BankId)) {
    pairs.retain(|other| *other != pair);
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol/view/tests/transcripts")
}

#[test]
fn every_transcript_matches_what_happens() {
    let mut files: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    for path in files {
        let transcript = Transcript { text: std::fs::read_to_string(&path).unwrap(), path };
        let replayed = transcript.replay();
        if std::env::var_os("TRANSCRIPTS").is_some_and(|wish| wish == "write") {
            std::fs::write(&transcript.path, &replayed).unwrap();
        }
        let differs =
            transcript.text.lines().zip(replayed.lines()).position(|(file, now)| file != now);
        assert!(
            transcript.text == replayed || std::env::var_os("TRANSCRIPTS").is_some(),
            "{}: line {} is otherwise now. If that is meant, write the files anew (see this test's page):\n{replayed}",
            transcript.path.display(),
            differs.unwrap_or_default() + 1
        );
    }
}
