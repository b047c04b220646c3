//! What leaves a node: recorded, handed to peers and clients, and counted by a
//! node that is to end at a place.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tribunal_protocol::{Input, NodeId, Outcome, RequestId};

use super::Host;
use crate::runtime::crash::{CrashAfter, CrashPoint};
use crate::runtime::gate::Left;
use crate::runtime::mutant::Mutant;
use crate::runtime::outbox::Outbox;
use crate::runtime::{NodeError, framing, port, process};
use crate::service::{Body, Code, Refusal, Service};
use crate::trace::line::{Fingerprint, answered, sent};

/// How long a node that is about to end waits for its last output to reach
/// the kernel.
const LAST_OUTPUT_LIMIT: Duration = Duration::from_millis(100);

/// What leaves the machine through the gate.
pub(super) enum Departure<M: Service> {
    Send {
        to: NodeId,
        message: M::Message,
        /// The session that was up when the machine asked.
        session: Option<u64>,
    },
    Answer {
        id: RequestId,
        outcome: Outcome<M::Response>,
    },
}

impl<M: Service> Departure<M> {
    fn fingerprint(&self) -> Fingerprint {
        match self {
            Departure::Send { to, message, .. } => sent::<M>(*to, message),
            Departure::Answer { id, outcome } => answered::<M>(id.0, outcome),
        }
    }
}

/// The end of a node that has come to its place.
pub(super) struct Doom {
    place: CrashPoint,
    /// Where the answer waits that was the last to leave, if one was.
    last: Option<Arc<Outbox>>,
}

impl<M: Service> Host<M> {
    /// Lets out whatever may leave.
    pub(super) fn depart(&mut self) -> Result<(), NodeError> {
        loop {
            let leaving = self.leaving()?;
            let nothing = leaving.is_empty();
            for Left { output, early } in leaving {
                self.dispatch(output, early);
            }
            if self.doomed.is_some() {
                return Ok(());
            }
            match self.to_self.pop_front() {
                Some(message) => {
                    let from = self.node;
                    self.step(Input::Message { from, message });
                }
                None if nothing => break,
                None => {}
            }
        }
        while let Some(inquiry) = self
            .inquiries
            .pop_front_if(|i| self.gate.has_passed(i.after))
        {
            inquiry
                .origin
                .reply(Ok(port::status(&inquiry.view, self.incarnation)));
        }
        Ok(())
    }

    fn dispatch(&mut self, departure: Departure<M>, early: bool) {
        let (kind, last) = match departure {
            Departure::Send { to, message, .. } if to == self.node => {
                self.to_self.push_back(message);
                return;
            }
            Departure::Send {
                to,
                message,
                session,
            } => {
                self.send(to, &message, session);
                if !self
                    .crash
                    .as_ref()
                    .is_some_and(|place| place.is_of(&message))
                {
                    return;
                }
                (CrashAfter::Send, None)
            }
            Departure::Answer { id, outcome } => {
                let promises = matches!(outcome, Outcome::Ok(_));
                let last = self.answer(id, outcome);
                if !promises {
                    return;
                }
                (CrashAfter::Answer, last)
            }
        };
        self.passes(kind, early, last);
    }

    /// An output has left; whether the node is to end here.
    pub(super) fn passes(
        &mut self,
        output: CrashAfter,
        early: bool,
        last: Option<Arc<Outbox>>,
    ) -> bool {
        let Some(place) = &mut self.crash else {
            return false;
        };
        if !place.passes(output, early) {
            return false;
        }
        let place = place.clone();
        self.doomed = Some(Doom { place, last });
        true
    }

    /// Whether a frame has a record of the kind that counts for a crash.
    pub(super) fn is_of_kind(&self, frame: &[Vec<M::Record>]) -> bool {
        let mut records = frame.iter().flatten();
        let place = self.crash.as_ref();
        place.is_some_and(|place| records.any(|record| place.is_of(record)))
    }

    /// Ends the process as a crash does, as soon as what has left for peers, and
    /// the last answer, is with the kernel; who takes nothing is not waited for.
    pub(super) async fn end(&self, doom: Doom) -> ! {
        self.writer.halt();
        let drained = async {
            if let Some(last) = doom.last {
                last.drained().await;
            }
            self.peers.drained().await;
        };
        let _ = timeout(LAST_OUTPUT_LIMIT, drained).await;
        let mark = format!(
            "{} crashes after {}, as it was asked",
            self.node, doom.place
        );
        // What it could not write is missing from its end, as in any crash.
        let _ = self.recorder.crash(&mark);
        process::crash(&mark)
    }

    /// What leaves now, in order; its trace is with the kernel. One by one for
    /// a node that is to end between two.
    fn leaving(&mut self) -> Result<Vec<Left<Departure<M>>>, NodeError> {
        let count_max = if self.crash.is_some() { 1 } else { usize::MAX };
        let leaving = std::iter::from_fn(|| self.gate.pop()).take(count_max);
        let mut leaving: Vec<_> = leaving.collect();
        if leaving.is_empty() {
            return Ok(leaving);
        }
        if self.mutant == Some(Mutant::OutputsReordered) {
            leaving.reverse();
        }
        let outputs = leaving.iter().map(|left| left.output.fingerprint());
        self.recorder.leaves(outputs);
        self.recorder.flush()?;
        Ok(leaving)
    }

    fn send(&self, to: NodeId, message: &M::Message, session: Option<u64>) {
        match framing::encode(message) {
            Ok(frame) => self.peers.send(to, session, frame),
            Err(error) => tracing::error!(%to, %error, "a message could not be sent"),
        }
    }

    /// Gives where the answer waits for its connection.
    fn answer(&mut self, id: RequestId, outcome: Outcome<M::Response>) -> Option<Arc<Outbox>> {
        let Some(origin) = self.waiting.remove(&id) else {
            tracing::error!(
                ?id,
                "the machine answers a request twice, or one that nobody made"
            );
            return None;
        };
        let outbox = origin.outbox();
        let result = in_words::<M>(origin.kind(), outcome);
        origin.reply(result);
        Some(outbox)
    }
}

fn in_words<M: Service>(kind: &str, outcome: Outcome<M::Response>) -> Result<Body, Refusal> {
    match outcome {
        Outcome::Ok(response) => M::reply(kind, response),
        Outcome::Never(why) => Err(M::refusal(why)),
        Outcome::Unknown(why) => Err(Refusal::new(Code::CRASH, why)),
        Outcome::Redirect(leader) => Err(Refusal::redirect(leader)),
    }
}
