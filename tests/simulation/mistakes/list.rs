//! The mistakes, as somebody could make them in the source. Each is a replacement of text that
//! stands there once.

/// One replacement.
pub(super) struct Edit {
    pub(super) file: &'static str,
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

/// One mistake.
pub(super) struct Mistake {
    pub(super) name: &'static str,
    pub(super) edits: &'static [Edit],
    /// The first seed that finds it, and what it finds.
    pub(super) found_by: (u64, &'static str),
}

pub(super) const MISTAKES: [Mistake; 22] = [
    Mistake {
        name: "acknowledging before fsync",
        edits: &[Edit {
            file: "src/store/group_commit.rs",
            before: "        self.urgent = false;
        self.keep_runs()?;
        if !self.changes.is_empty() {
            self.store.write(&self.changes)?;
            self.changes.clear();
        }
        out.append(&mut self.afterwards);
",
            after: "        let nobody_waits = !std::mem::replace(&mut self.urgent, false);
        self.keep_runs()?;
        out.append(&mut self.afterwards);
        if nobody_waits && !self.changes.is_empty() {
            self.store.write(&self.changes)?;
            self.changes.clear();
        }
",
        }],
        found_by: (0, "bank 2 has promised 3.1 and remembers 1.0"),
    },
    Mistake {
        name: "merging a clock without holding the events",
        edits: &[Edit {
            file: "src/protocol/ordered_buffer.rs",
            before: "            self.claims[from.index()].merge(&clock);
        }
",
            after: "            self.claims[from.index()].merge(&clock);
            out.extend(self.view.map(|view| Effect::Clock(ClockInput::Held { view, clock })));
        }
",
        }],
        found_by: (845, "no view of all healed banks came to stand: Outside at 46 hears 0, 1, 2, 3 promis"),
    },
    Mistake {
        name: "believing an ACK that overtook an event",
        edits: &[Edit {
            file: "src/protocol/ordered_buffer.rs",
            before: "        let is_believed = own_events_here && plausible;",
            after: "        let is_believed = own_events_here | true && plausible;",
        }],
        found_by: (2, "bank 1 raises the alarm: bank 3 stamped an event below what it had acknowledged;"),
    },
    Mistake {
        name: "a view numbered without its coordinator",
        edits: &[
            Edit {
                file: "src/ids/mod.rs",
                before: "#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ballot {",
                after: "impl PartialEq for Ballot {
    fn eq(&self, other: &Self) -> bool {
        self.round == other.round
    }
}

impl PartialOrd for Ballot {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ballot {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.round.cmp(&other.round)
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Serialize, Deserialize)]
pub struct Ballot {",
            },
            // Who asks under the promised number is answered.
            Edit {
                file: "src/protocol/view/flush.rs",
                before: "            self.phase.enter(Stage::Promised);
            self.answer_stop(out);
        }
",
                after: "            self.phase.enter(Stage::Promised);
            self.disk.promised = ballot;
            self.answer_stop(out);
        }
",
            },
        ],
        found_by: (62, "bank 4 begins 16.4 otherwise than others"),
    },
    Mistake {
        name: "dropping events before PREPARE",
        edits: &[Edit {
            file: "src/protocol/ordered_buffer.rs",
            before: "        let held = self.ordered.values().cloned().collect();
        let frozen",
            after: "        let held = Vec::new();
        let frozen",
        }],
        found_by: (1, "view 3.4 begins at [1,0,0,0,1], and [0,0,0,0,0] are executed or flushed"),
    },
    Mistake {
        name: "going on with old counters after a restart",
        edits: &[Edit {
            file: "src/protocol/view/mod.rs",
            before: "            phase: Phase::Between(Box::new(Interim::outside(disk.state))),
",
            after: "            phase: {
                let mut interim = Interim::outside(disk.state);
                if disk.promised == disk.prepared.ballot && disk.promised != Ballot::default() {
                    interim.stage = self::phase::Stage::Ready(disk.prepared);
                }
                Phase::Between(Box::new(interim))
            },
",
        }],
        found_by: (3, "bank 0 begins 4.0 otherwise than others"),
    },
    Mistake {
        name: "letting an empty disk vote",
        edits: &[Edit {
            file: "src/protocol/view/disk.rs",
            before: "        !self.learner && self.prepared != Ballot::default()
",
            after: "        true
",
        }],
        found_by: (1, "bank 1 raises the alarm: DISK INCOMPLETE: bank 0 knows of more than this disk ho"),
    },
    Mistake {
        name: "executing after a promise",
        edits: &[
            Edit {
                file: "src/protocol/ordered_buffer.rs",
                before: "        if self.view.take().is_some() {",
                after: "        if self.view.is_some() {",
            },
            Edit {
                file: "src/protocol/ordered_buffer.rs",
                before: "        assert!(self.view.is_none(), \"a view is installed on a frozen node\");
",
                after: "",
            },
        ],
        found_by: (1, "keys only grow, over all views"),
    },
    Mistake {
        name: "stamping queued work before the flush",
        edits: &[Edit {
            file: "src/protocol/clock.rs",
            before: "        self.clock = installed.plan.clock.clone();
        self.agreed = self.clock.get(self.me);
        self.stable = self.agreed;
        self.view = Some(installed.plan.ballot);
        self.members = installed.plan.members;
        out.push(Effect::Buffer(BufferInput::Install(installed)));
",
            after: "        let flushed = installed.plan.clock.clone();
        self.agreed = self.clock.get(self.me);
        self.stable = self.agreed;
        self.view = Some(installed.plan.ballot);
        self.members = installed.plan.members;
        out.push(Effect::Buffer(BufferInput::Install(installed)));
        self.reach = Reach::Members;
        self.stamp(now, out);
        self.clock.merge(&flushed);
",
        }],
        found_by: (1, "bank 0 raises the alarm: bank 1 stamped an event below what it had acknowledged; the event"),
    },
    Mistake {
        name: "stamping with the bank's own wall clock",
        edits: &[Edit {
            file: "src/protocol/consortium_time.rs",
            before: "        let sorted = self.sorted();
        sorted.len().checked_sub(1).map(|last| sorted[last / 2])
",
            after: "        self.readings[self.me.index()]
",
        }],
        found_by: (1, "bank 0 raises the alarm: CLOCK WRONG: bank 1's is 25 h ahead; consortium time counts"),
    },
    Mistake {
        name: "keys growing old by time alone",
        edits: &[Edit {
            file: "src/ledger/book/ledger_time.rs",
            before: "saturating_add(by_ms.min(AGE_STEP_MAX_MS))",
            after: "saturating_add(by_ms)",
        }],
        found_by: (1, "2/1 took effect at 3, and again at 7: Executed { id: EventId(\"EV4-2-3\"), position: Posit"),
    },
    Mistake {
        name: "idempotency decided outside the ledger",
        edits: &[Edit {
            file: "src/ledger/book/idempotency.rs",
            // Each bank remembers only what it was asked itself.
            before: "Some(user_name)) => return of_customer(user_name, key),",
            after: "Some(user_name)) => {
            let bank = request.id.as_str().split('-').next().unwrap_or_default();
            let own = IdempotencyKey::parse(&format!(\"{}{bank}\", key.as_str()));
            return of_customer(user_name, own.as_ref().unwrap_or(key));
        }",
        }],
        found_by: (1, "3/1 took effect at 5, and again at 6: Executed { id: EventId(\"EV2-3-1\"), position: Posit"),
    },
    Mistake {
        name: "dropping requests of a flush silently",
        edits: &[Edit {
            file: "src/protocol/clock.rs",
            before: "        if fates.unknown {
            return;
        }
",
            after: "        if !fates.unknown {
            return;
        }
",
        }],
        found_by: (29, "EV3-0-29 is never answered although a view stands"),
    },
    Mistake {
        name: "reads without proof",
        edits: &[Edit {
            file: "src/protocol/confirmation.rs",
            before: "        self.words.len() - majority(self.words.len()) + 1
",
            after: "        1
",
        }],
        found_by: (5, "bank 2 shows its ledger at 38 without a mark, and 42 was answered before"),
    },
    Mistake {
        name: "working without progress extends patience",
        edits: &[Edit {
            file: "src/protocol/view/ticks.rs",
            before: "        if progress > self.progress {
",
            after: "        if progress >= self.progress {
",
        }],
        found_by: (175, "no view of all healed banks came to stand: Ready at 29 hears 0, 1, 2, 3 promised"),
    },
    Mistake {
        name: "watching durable clocks only",
        edits: &[Edit {
            file: "src/protocol/checks.rs",
            before: "                return self.find_lags(out);",
            after: "                return;",
        }],
        found_by: (2, "StuckLedger { bank: BankId(3) } stops the others: Active at 47 hears 0, 1, 2, 3,"),
    },
    Mistake {
        name: "blaming who is slow although nothing works without it",
        edits: &[Edit {
            file: "src/protocol/heartbeat.rs",
            before: "        if lags.members.len() > majority(banks) {",
            after: "        if lags.members.len() > majority(banks) / 2 {",
        }],
        found_by: (30, "bank 0 blames bank 3, which is needed: bank 3 does not keep up (slow: the others"),
    },
    Mistake {
        // The simulator's disk does what `store/sqlite` does; that one is tried in
        // `tests/store/`.
        name: "trusting a disk after a failed fsync",
        edits: &[Edit {
            file: "tests/simulation/disk.rs",
            before: "        if !was_in_doubt {
",
            after: "        if !was_in_doubt | true {
",
        }],
        found_by: (12, "bank 1 has promised 13.3 and remembers 6.1"),
    },
    Mistake {
        name: "letting in who was slow as soon as it answers",
        edits: &[
            Edit {
                file: "src/protocol/heartbeat.rs",
                before: "        report.health.is_below(slow_after) && answered.round_trip < slow_after + distance
",
                after: "        let _ = (report, answered, slow_after, distance);
        true
",
            },
            Edit {
                file: "src/protocol/heartbeat.rs",
                before: "                rejoin_after.max(SLOW_WATCH_MIN_MS)
                    << seen.slow_flaps.saturating_sub(1).min(SLOW_FLAPS_MAX)
",
                after: "                0
",
            },
        ],
        found_by: (31, "SlowDisk { bank: BankId(4) } stops the others: Active at 379 hears 0, 1, 2, 3, 4"),
    },
    Mistake {
        name: "believing in a connection without an echo",
        edits: &[Edit {
            file: "src/protocol/line.rs",
            before: "            State::Open => self.probes.front()?.left_at,",
            after: "            State::Open => return None,",
        }],
        found_by: (17, "EV0-0-17 is never answered although a view stands"),
    },
    Mistake {
        name: "sending nothing again after a connection broke",
        edits: &[Edit {
            file: "src/protocol/outbox.rs",
            before: "        if !is_confirmed {
            self.send_again(0);",
            after: "        if is_confirmed {
            self.send_again(0);",
        }],
        found_by: (76, "a customer is not served although all is well"),
    },
    Mistake {
        name: "believing what was gathered before a bank's own events are here",
        edits: &[Edit {
            file: "src/protocol/envelope.rs",
            before: "        claim.raise(bank, self.own.get(bank));",
            after: "        let _ = bank;",
        }],
        found_by: (2, "bank 1 raises the alarm: bank 3 stamped an event below what it had acknowledged"),
    },
];
