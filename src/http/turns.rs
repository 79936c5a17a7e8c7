//! What takes long for a thread that answers is done one at a time on a thread of its own, so that
//! small requests never wait behind it: reading large bodies, writing papers. Of many customers
//! with such wishes, each has their turn.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::HttpRequest;
use actix_web::web::{self, Bytes};
use tokio::sync::oneshot::{Sender, channel};

use super::body::{Body, SMALL_BODY_BYTES_MAX};
use super::refusal::Refused;
use super::share::origin;
use crate::ledger::UserName;
use crate::limits::Origin;
use crate::limits::turns::Turns;

/// How many long things are done at a time for each worker.
const AT_ONCE: usize = 1;

/// Whose wishes wait in one line: a customer's, or an address's if it is nobody's.
type Whose = (Option<UserName>, Option<Origin>);

/// Who waits at this worker. How many there are is bounded by the memory that bodies take, and by
/// the connections.
#[derive(Clone)]
pub(super) struct LongWork(Rc<RefCell<Turns<Whose, Sender<Turn>>>>);

impl LongWork {
    /// To be made on the worker's thread.
    pub(super) fn new() -> Self {
        LongWork(Rc::new(RefCell::new(Turns::new(AT_ONCE))))
    }

    async fn turn(&self, whose: &Whose) -> Result<Turn, Refused> {
        if self.0.borrow_mut().come() {
            return Ok(Turn(self.clone()));
        }
        let (tell, told) = channel();
        self.0.borrow_mut().wait(whose, tell);
        told.await.map_err(|_| Refused::Internal)
    }
}

/// While it exists, something long is being done.
struct Turn(LongWork);

impl Drop for Turn {
    fn drop(&mut self) {
        loop {
            let next = self.0.0.borrow_mut().leave();
            match next {
                // Whoever has hung up while they waited needs no turn.
                Some(next) if next.is_closed() => {}
                Some(next) => {
                    // Nobody can hang up in between, on this thread.
                    let _ = next.send(Turn(self.0.clone()));
                    break;
                }
                None => break,
            }
        }
    }
}

/// Does something long elsewhere when it is its turn. It keeps its turn, and what is `held`, until
/// it is done, also if nobody waits for it any more.
pub(crate) async fn in_turn<T: Send + 'static>(
    request: &HttpRequest,
    customer: Option<&UserName>,
    held: impl Sized + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    let all = request.app_data::<LongWork>().ok_or(Refused::Internal)?;
    let from = customer.is_none().then(|| origin(request)).flatten();
    let turn = all.turn(&(customer.cloned(), from)).await?;
    let working = actix_rt::spawn(async move {
        let done = web::block(work).await;
        drop((turn, held));
        done
    });
    let done = working.await.map_err(|_| Refused::Internal)?;
    done.map_err(|_| Refused::Internal)
}

/// Reads a customer's body by a function of its bytes alone; a large one in turn.
pub(crate) async fn read_body<T: Send + 'static>(
    request: &HttpRequest,
    customer: Option<&UserName>,
    body: Body,
    read: impl FnOnce(&[u8]) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    if body.len() <= SMALL_BODY_BYTES_MAX {
        return read(&body);
    }
    let bytes = Bytes::copy_from_slice(&body);
    in_turn(request, customer, body, move || read(&bytes)).await?
}
