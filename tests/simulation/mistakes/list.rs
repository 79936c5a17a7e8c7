//! The mistakes, as somebody could make them in the source. Each is a replacement of text that stands there once.

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

pub(super) const MISTAKES: [Mistake; 14] = [
    Mistake {
        name: "acknowledging before fsync",
        edits: &[Edit {
            file: "src/store/group_commit.rs",
            before: "        self.urgent = false;
        if !self.changes.is_empty() {
            self.store.write(&self.changes)?;
            self.changes.clear();
        }
        out.append(&mut self.afterwards);
",
            after: "        let nobody_waits = !std::mem::replace(&mut self.urgent, false);
        out.append(&mut self.afterwards);
        if nobody_waits && !self.changes.is_empty() {
            self.store.write(&self.changes)?;
            self.changes.clear();
        }
",
        }],
        found_by: (0, "bank 1 has promised 3.0 and remembers 2.1"),
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
        found_by: (43, "bank 2 executes OrderKey { view: Ballot { round: 3, coordinator: BankId(1) }, sum: 35, sen"),
    },
    Mistake {
        name: "believing an ACK that overtook an event",
        edits: &[Edit {
            file: "src/protocol/ordered_buffer.rs",
            before: "            if own_events_here && plausible {",
            after: "            if own_events_here | true && plausible {",
        }],
        found_by: (4, "bank 2 raises the alarm: banco 0 carimbou um evento abaixo do que já confirmou; o evento n"),
    },
    Mistake {
        name: "a view numbered without its coordinator",
        edits: &[
            Edit {
                file: "src/protocol/ids.rs",
                before: "#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
                before: "            self.phase = Phase::Promised;
            self.answer_stop(out);
        }
",
                after: "            self.phase = Phase::Promised;
            self.promised = ballot;
            self.answer_stop(out);
        }
",
            },
        ],
        found_by: (377, "bank 2 begins 5.2 otherwise than others"),
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
        found_by: (1, "view 12.2 begins at [1,0,0,1,0], and [1,0,0,0,0] are executed or flushed"),
    },
    Mistake {
        name: "going on with old counters after a restart",
        edits: &[Edit {
            file: "src/protocol/view/mod.rs",
            before: "            phase: Phase::Outside,
            state: disk.state,
            plan: PreparePlan::default(),
",
            after: "            phase: if disk.promised == disk.prepared.ballot && disk.promised != Ballot::default() {
                Phase::Ready
            } else {
                Phase::Outside
            },
            state: disk.state,
            plan: disk.prepared,
",
        }],
        found_by: (3, "bank 2 begins 6.0 otherwise than others"),
    },
    Mistake {
        name: "letting an empty disk vote",
        edits: &[Edit {
            file: "src/protocol/view/mod.rs",
            before: "        !self.learner && self.prepared != Ballot::default()
",
            after: "        true
",
        }],
        found_by: (3, "bank 0 raises the alarm: DISCO INCOMPLETO: o banco 3 lembra mais do que está aqui; este ba"),
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
        found_by: (1, "bank 2 raises the alarm: CÓPIA DIVERGENTE: a posição 1 difere da do banco 2; escritas susp"),
    },
    Mistake {
        name: "stamping queued work before the flush",
        edits: &[Edit {
            file: "src/protocol/clock.rs",
            before: "        self.clock = installed.plan.clock.clone();
        self.agreed = self.clock.get(self.me);
        self.view = Some(installed.plan.ballot);
        self.members = installed.plan.members;
        out.push(Effect::Buffer(BufferInput::Install(installed)));
",
            after: "        let flushed = installed.plan.clock.clone();
        self.agreed = self.clock.get(self.me);
        self.view = Some(installed.plan.ballot);
        self.members = installed.plan.members;
        out.push(Effect::Buffer(BufferInput::Install(installed)));
        self.reach = Reach::Members;
        self.stamp(now, out);
        self.clock.merge(&flushed);
",
        }],
        found_by: (2, "bank 2 raises the alarm: banco 4 carimbou um evento abaixo do que já confirmou; o evento n"),
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
        found_by: (2, "bank 2 raises the alarm: RELÓGIO ERRADO: o do banco 0 está 60 min adiantado; vale a hora do"),
    },
    Mistake {
        name: "keys growing old by time alone",
        edits: &[Edit {
            file: "src/ledger/book/ledger_time.rs",
            before: "saturating_add(by_ms.min(AGE_STEP_MAX_MS))",
            after: "saturating_add(by_ms)",
        }],
        found_by: (0, "0/1 took effect at 1, and again at 3: Executed { id: EventId(\"EV1-0-23\"), position: Position(3),"),
    },
    Mistake {
        name: "idempotency decided outside the ledger",
        edits: &[Edit {
            file: "src/ledger/book/idempotency.rs",
            // Each bank remembers only what it was asked itself.
            before: "    fields.text(key.as_str());
    fields.finish()
",
            after: "    fields.text(key.as_str()).text(request.id.as_str().split('-').next().unwrap_or_default());
    fields.finish()
",
        }],
        found_by: (1, "2/1 took effect at 1, and again at 2: Executed { id: EventId(\"EV3-2-10\"), position: Positi"),
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
        found_by: (0, "is never answered although a view stands"),
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
        found_by: (2, "bank 4 shows its ledger at 0 without a mark, and 1 was answered before"),
    },
];
