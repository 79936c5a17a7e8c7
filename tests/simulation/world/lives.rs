//! How processes die and start again.

use super::*;

impl World {
    /// Ends the process of a bank, if it is running, and returns whether it was.
    pub(crate) fn die(&mut self, bank: BankId, how: Death) -> bool {
        let machine = &mut self.machines[bank.index()];
        let Some(process) = machine.process.take() else { return false };
        machine.work_at_us = None;
        machine.paused_until_us = 0;
        machine.open_views.clear();
        machine.bulk.fill(None);
        // A commit that nobody will make any more cannot be torn.
        machine.disk.set_next_write(NextWrite::Succeeds);
        if how == Death::PowerLost {
            machine.disk.lose_power();
        }
        machine.life += 1;
        self.judge.died(bank);
        self.trace.line(self.now_us, Some(bank), || format!("DIES: {how:?}"));
        if how == Death::Killed {
            for peer in BankId::all(self.scenario.banks).filter(|peer| *peer != bank) {
                self.send(bank, peer, Message::Closed);
            }
            for (peer, line) in process.incoming().collect::<Vec<_>>() {
                self.send_on_line(bank, peer, line, OnLine::Reset);
            }
        }
        let dead_us = if self.is_mended() {
            200 * MS
        } else {
            self.random.skewed(10 * MS, self.scenario.dead_max_us)
        };
        let life = self.life_of(bank);
        self.put_in(dead_us, Item::Restart(life));
        true
    }

    pub(super) fn restart(&mut self, life: Life) {
        let bank = life.bank;
        let patience = self.patience_of(bank);
        let machine = &mut self.machines[bank.index()];
        if machine.life != life.number || machine.process.is_some() || !self.healed.contains(bank) {
            return;
        }
        let settings = Settings {
            me: bank,
            banks: self.scenario.banks,
            life: machine.life,
            patience,
            started_us: self.now_us,
            rate_ppm: machine.rate_ppm,
            fsync_max_us: self.scenario.fsync_max_us,
            snapshots: self.scenario.snapshots,
            span: self.scenario.span,
            ping_every_ms: self.scenario.ping_every_ms,
            gather_from: self.scenario.gather_from,
            signs: true,
        };
        if machine.disk.end_doubt().is_err() {
            return self.put_in(RETRY_US, Item::Restart(life));
        }
        let started = Process::start(settings, machine.disk.clone(), &mut self.random);
        let process = match started {
            Ok(process) => process,
            // But runs of keys that a snapshot names are always there.
            Err(StoreError::Damaged { path, .. }) if !path.starts_with("keys") => {
                // As the store does: the file is moved aside, and the bank starts anew with an
                // empty one.
                if machine.disk.is_full() {
                    return self.put_in(RETRY_US, Item::Restart(life));
                }
                self.trace
                    .line(self.now_us, Some(bank), || "moves its damaged journal aside".to_owned());
                machine.disk.wipe();
                machine.disk.set_next_write(NextWrite::Succeeds);
                machine
                    .disk
                    .clone()
                    .write(&[Change::Forgotten])
                    .expect("an empty disk is writable");
                self.judge.forgets(bank);
                Process::start(settings, machine.disk.clone(), &mut self.random)
                    .expect("an empty disk is readable")
            }
            // What the ledger seals while it is rebuilt finds no room.
            Err(StoreError::Failed { .. }) if machine.disk.is_full() => {
                return self.put_in(RETRY_US, Item::Restart(life));
            }
            Err(error) => panic!("bank {bank} cannot start on an intact disk: {error}"),
        };
        let remembered = machine.disk.remembered().expect("just read");
        self.judge.restarted(bank, remembered.promised, remembered.prepared.ballot, process.book());
        machine.process = Some(process);
        machine.conversations.fill(Conversation::default());
        self.afflict(bank);
        self.tally.starts += 1;
        self.trace
            .line(self.now_us, Some(bank), || format!("STARTS, promised {}", remembered.promised));
        self.timer_in(bank, 1, Timer::Tick);
        self.timer_in(bank, LAZY_COMMIT_MS, Timer::LazyFlush);
        for peer in BankId::all(self.scenario.banks).filter(|peer| *peer != bank) {
            self.timer_in(bank, 1, Timer::Ping(peer, 0));
        }
    }
}
