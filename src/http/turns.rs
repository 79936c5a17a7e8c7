//! Large bodies are read one at a time on a thread of their own, so that small requests never wait
//! behind them; of many customers with large bodies, each has their turn.

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

/// How many large bodies are read at a time for each worker.
const AT_ONCE: usize = 1;

/// Whose bodies wait in one line: a customer's, or an address's if it is nobody's.
type Whose = (Option<UserName>, Option<Origin>);

/// The large bodies of this worker that wait to be read. How many there are is bounded by the
/// memory that they take.
#[derive(Clone)]
pub(super) struct LargeBodies(Rc<RefCell<Turns<Whose, Sender<Turn>>>>);

impl LargeBodies {
    /// To be made on the worker's thread.
    pub(super) fn new() -> Self {
        LargeBodies(Rc::new(RefCell::new(Turns::new(AT_ONCE))))
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

/// While it exists, a large body is being read.
struct Turn(LargeBodies);

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

/// Reads a customer's body by a function of its bytes alone; a large one elsewhere, when it is its
/// turn.
pub(super) async fn read_body<T: Send + 'static>(
    request: &HttpRequest,
    customer: Option<&UserName>,
    body: Body,
    read: impl FnOnce(&[u8]) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    if body.len() <= SMALL_BODY_BYTES_MAX {
        return read(&body);
    }
    let all = request.app_data::<LargeBodies>().ok_or(Refused::Internal)?;
    let from = customer.is_none().then(|| origin(request)).flatten();
    let turn = all.turn(&(customer.cloned(), from)).await?;
    // Its turn, and the memory that it takes, end when it has been read, also if its sender has
    // hung up by then.
    let reading = actix_rt::spawn(async move {
        let bytes = Bytes::copy_from_slice(&body);
        let done = web::block(move || read(&bytes)).await;
        drop((turn, body));
        done
    });
    let done = reading.await.map_err(|_| Refused::Internal)?;
    done.map_err(|_| Refused::Internal)?
}
