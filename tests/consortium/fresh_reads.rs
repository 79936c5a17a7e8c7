//! A read without a mark shows everything that was answered anywhere before it began, whatever
//! happens to the lines.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::customer::{Customer, OwnAccount};
use crate::processes::links::{Passage, Port};

const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who looks at an account at one bank again and again, while others withdraw from it
/// elsewhere.
struct Watched {
    cluster: Cluster,
    customer: Customer,
    account: OwnAccount,
    /// Withdrawals that were answered.
    answered: Cell<usize>,
    marked: Cell<usize>,
    unmarked: Cell<usize>,
    over: Cell<bool>,
}

impl Watched {
    async fn start() -> Rc<Watched> {
        let cluster = Cluster::start_behind_links(3).await;
        let customer = Customer::register(&cluster, "vera007", 7).await;
        let account = customer.open(&cluster, 0, 100_000.0).await;
        let (answered, marked, unmarked, over) = Default::default();
        Rc::new(Watched { cluster, customer, account, answered, marked, unmarked, over })
    }

    /// One look at bank 2: the whole statement as a file, with the session of its pages.
    async fn look(&self) {
        let answered = self.answered.get();
        let path = format!("/contas/0-{}/extrato.csv", self.account.number);
        let cookie = format!("netbanking-2={}", self.customer.tokens[2]);
        let request = self
            .customer
            .http
            .client()
            .get(self.cluster.url(2, &path))
            .insert_header(("cookie", cookie));
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let file = response.body().limit(16 << 20).await.unwrap();
        // Apart from the withdrawals there are a line of headings and the opening.
        let shown = file.iter().filter(|byte| **byte == b'\n').count() - 2;
        if response.headers().contains_key("warning") {
            self.marked.set(self.marked.get() + 1);
        } else {
            assert!(
                shown >= answered,
                "{answered} withdrawals were answered and an unmarked read shows {shown}"
            );
            self.unmarked.set(self.unmarked.get() + 1);
        }
    }

    async fn keep_looking(self: Rc<Self>) {
        while !self.over.get() {
            self.look().await;
        }
    }

    async fn keep_withdrawing(self: Rc<Self>) {
        let account = &self.account;
        let operation = json!({"type": "WITHDRAW", "value": 0.01, "sender": account.number});
        let package =
            json!({"0": {account.number.to_string(): {"package": [operation]}}}).to_string();
        let mut number = 0;
        while !self.over.get() {
            let key = format!("saque-{number}");
            let bank = number % 2;
            let answer = self.customer.operate(&self.cluster, bank, &package, &key).await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                number += 1;
                self.answered.set(number);
            }
        }
    }

    /// Waits until `withdrawals` more withdrawals have been answered, and `count` more reads of one
    /// kind have been made.
    async fn until(&self, withdrawals: usize, reads: &Cell<usize>, count: usize) {
        let (withdrawals, count) = (self.answered.get() + withdrawals, reads.get() + count);
        let deadline = Instant::now() + PATIENCE;
        while self.answered.get() < withdrawals || reads.get() < count {
            assert!(
                Instant::now() < deadline,
                "{} of {withdrawals} withdrawals; {} marked, {} unmarked reads",
                self.answered.get(),
                self.marked.get(),
                self.unmarked.get()
            );
            actix_rt::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Breaks and heals something several times while people look and withdraw; each time the
    /// others go on without bank 2.
    async fn while_breaking(
        self: Rc<Self>,
        times: usize,
        cut: impl Fn(&Cluster),
        heal: impl Fn(&Cluster),
    ) {
        let mut people = vec![actix_rt::spawn(self.clone().keep_withdrawing())];
        people.extend((0..4).map(|_| actix_rt::spawn(self.clone().keep_looking())));
        for _ in 0..times {
            self.until(20, &self.unmarked, 20).await;
            cut(&self.cluster);
            self.cluster.wait_members(&[0, 1]).await;
            self.until(20, &self.marked, 20).await;
            heal(&self.cluster);
            self.cluster.wait_members(&[0, 1, 2]).await;
        }
        self.until(20, &self.unmarked, 20).await;
        self.over.set(true);
        for person in people {
            person.await.unwrap();
        }
        println!(
            "{} withdrawals, {} marked and {} unmarked reads",
            self.answered.get(),
            self.marked.get(),
            self.unmarked.get()
        );
    }
}

#[actix_rt::test]
async fn a_bank_whose_lines_fall_silent_never_shows_an_old_balance_without_a_mark() {
    let set = |cluster: &Cluster, passage| {
        cluster.links().set_both(0, 2, passage);
        cluster.links().set_both(1, 2, passage);
    };
    let watched = Watched::start().await;
    watched
        .while_breaking(
            1,
            |cluster| set(cluster, Passage::Held),
            |cluster| set(cluster, Passage::Open),
        )
        .await;
}

#[actix_rt::test]
async fn an_unheard_bank_learns_of_the_view_that_excludes_it_before_it_shows_anything() {
    // The pings of the others do not reach it, but its own are answered: only the next answer
    // tells it that they have gone on.
    let watched = Watched::start().await;
    let cut = |cluster: &Cluster| {
        (0..2).for_each(|from| cluster.links().set_calls(from, 2, Port::Heartbeat, Passage::Held));
    };
    watched.while_breaking(4, cut, |cluster| cluster.links().open_all()).await;
}

#[actix_rt::test]
async fn customers_are_told_when_a_bank_lacks_what_they_did_elsewhere() {
    let watched = Watched::start().await;
    let (cluster, customer) = (&watched.cluster, &watched.customer);
    let set = |passage| (0..2).for_each(|other| cluster.links().set_both(other, 2, passage));
    set(Passage::Held);
    cluster.wait_members(&[0, 1]).await;
    let account = customer.open(cluster, 1, 50.0).await;
    let position = cluster.status(1).await["position"].as_u64().unwrap();
    let read = async || {
        let path = format!("/pix/{}?min_position={position}", account.key);
        customer
            .http
            .call(customer.http.client().get(cluster.url(2, &path)), String::new())
            .await
            .unwrap()
    };
    let answer = read().await;
    assert_eq!(answer.status, 503, "{answer:?}");
    set(Passage::Open);
    let deadline = Instant::now() + PATIENCE;
    let answer = loop {
        let answer = read().await;
        if answer.status != 503 {
            break answer;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
    };
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[actix_rt::test]
async fn a_distant_bank_makes_no_read_look_old_either_there_or_elsewhere() {
    let watched = Watched::start().await;
    let (cluster, http) = (&watched.cluster, &watched.customer.http);
    (0..2).for_each(|near| {
        cluster.links().set_both(near, 2, Passage::Far(Duration::from_millis(150)))
    });
    let read = async |bank: usize| {
        let asked = Instant::now();
        let request =
            http.client().get(cluster.url(bank, &format!("/pix/{}", watched.account.key)));
        let answer = request.send().await.unwrap();
        (answer.headers().contains_key("warning"), asked.elapsed())
    };
    // The first reads do not take into account yet how far away the others are now.
    let deadline = Instant::now() + PATIENCE;
    while read(2).await.0 {
        assert!(Instant::now() < deadline);
    }
    for _ in 0..10 {
        let (is_marked, took) = read(0).await;
        assert!(!is_marked && took < Duration::from_millis(150), "bank 1 suffices: {took:?}");
        let (is_marked, took) = read(2).await;
        assert!(!is_marked, "{took:?}");
    }
}
