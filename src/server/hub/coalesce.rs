//! Decides when the next batch is taken. A batch of one message costs nearly as much as a batch of
//! a hundred, so it pays to wait a little for messages that come at nearly the same time.

use std::{collections::HashSet, time::Duration};

use tokio::{sync::mpsc, task::yield_now, time::sleep};

use crate::{protocol::Limits, rooms::MemberId, server::hub::handle::Request};

/// The maximum number of times that other tasks may run first, while each time brings more requests
/// for this batch.
const YIELDS: u32 = 8;

/// If a batch has at least this many messages, the next one waits up to 1 ms for the same senders.
/// Most conversations are slower and never wait.
const COALESCE_THRESHOLD: usize = 16;

/// The tick of the clock on which a wait ends: a batch waits until the next tick at most.
const PATIENCE: Duration = Duration::from_millis(1);

/// Collects the requests of one batch after the other.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    /// The senders of the last batch, if it had [`COALESCE_THRESHOLD`] messages.
    awaited: HashSet<MemberId>,
}

/// What is known of the next batch.
struct Next {
    messages: usize,
    speakers: HashSet<MemberId>,
    /// The senders that the batch still waits for.
    absent: HashSet<MemberId>,
}

impl Coalescer {
    /// Adds the other requests of the same batch to `waiting`, if there are messages in it. First
    /// it lets other tasks run, so that sessions with something to send can send it. After a large
    /// batch it also waits for the senders of that batch: a busy sender sends again as soon as it
    /// receives its own messages, and without the wait the senders would split into two halves and
    /// cause twice as many batches. Not cancel-safe.
    pub(super) async fn complete(&mut self, incoming: &mut mpsc::Receiver<Request>, waiting: &mut Vec<Request>) {
        let mut next = Next { messages: 0, speakers: HashSet::new(), absent: std::mem::take(&mut self.awaited) };
        next.note(waiting);
        if next.messages == 0 {
            self.awaited = next.absent;
            return;
        }
        for _ in 0..YIELDS {
            yield_now().await;
            let before = waiting.len();
            while waiting.len() < Limits::HUB_QUEUE
                && let Ok(request) = incoming.try_recv()
            {
                waiting.push(request);
            }
            next.note(&waiting[before..]);
            if waiting.len() == before {
                break;
            }
        }
        if !next.absent.is_empty() {
            next.wait(incoming, waiting).await;
        }
        if next.messages >= COALESCE_THRESHOLD {
            self.awaited = next.speakers;
        }
    }
}

impl Next {
    fn note(&mut self, requests: &[Request]) {
        for request in requests {
            if let Request::Say(member, said) = request {
                self.messages += said.len();
                self.absent.remove(member);
                self.speakers.insert(*member);
            }
        }
    }

    async fn wait(&mut self, incoming: &mut mpsc::Receiver<Request>, waiting: &mut Vec<Request>) {
        let mut end = std::pin::pin!(sleep(PATIENCE));
        while !self.absent.is_empty() && waiting.len() < Limits::HUB_QUEUE {
            let before = waiting.len();
            tokio::select! {
                biased;
                // Polled first. Otherwise senders that keep sending would put the end off.
                () = &mut end => break,
                received = incoming.recv_many(waiting, Limits::HUB_QUEUE - before) => if received == 0 { break },
            }
            self.note(&waiting[before..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::{
        protocol::{Body, Kind},
        server::hub::handle::Outgoing,
    };

    fn say(member: MemberId, count: usize) -> Request {
        let said = || Outgoing { kind: Kind::Say, text: Some(Body::new("hi").unwrap()), key: None };
        Request::Say(member, std::iter::repeat_with(said).take(count).collect())
    }

    /// Returns the number of requests in the batch that `ada` begins after a last batch of `ada`
    /// and `bob`, and how long it waited. If `yields` is set, `bob` sends something after other
    /// tasks have run that many times.
    async fn turn_after(messages: usize, yields: Option<u32>) -> (usize, Duration) {
        let (ada, bob) = (MemberId::numbered(1), MemberId::numbered(2));
        let (requests, mut incoming) = mpsc::channel(16);
        let mut coalescer = Coalescer::default();
        coalescer.complete(&mut incoming, &mut vec![say(ada, messages - 1), say(bob, 1)]).await;
        let begin = Instant::now();
        let said = requests.clone();
        let says = tokio::spawn(async move {
            let Some(yields) = yields else { return };
            for _ in 0..yields {
                yield_now().await;
            }
            said.send(say(bob, 1)).await.ok();
        });
        let mut waiting = vec![say(ada, 1)];
        coalescer.complete(&mut incoming, &mut waiting).await;
        let turn = (waiting.len(), begin.elapsed());
        says.await.unwrap();
        turn
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_something_to_say_says_it_first() {
        assert_eq!(turn_after(COALESCE_THRESHOLD - 1, Some(0)).await, (2, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn after_many_messages_a_turn_waits_for_those_who_said_them() {
        assert_eq!(turn_after(COALESCE_THRESHOLD, Some(2 * YIELDS)).await, (2, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_wait_for_ever() {
        let (requests, waited) = turn_after(COALESCE_THRESHOLD, None).await;
        assert!(requests == 1 && waited >= PATIENCE && waited <= 2 * PATIENCE, "{requests}, {waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn after_few_messages_it_does_not_wait() {
        assert_eq!(turn_after(COALESCE_THRESHOLD - 1, Some(2 * YIELDS)).await, (1, Duration::ZERO));
    }

    #[tokio::test]
    async fn a_turn_without_messages_takes_no_more_and_forgets_nobody() {
        let (requests, mut incoming) = mpsc::channel(16);
        let mut coalescer = Coalescer::default();
        coalescer.complete(&mut incoming, &mut vec![say(MemberId::numbered(1), COALESCE_THRESHOLD)]).await;
        requests.send(say(MemberId::numbered(2), 1)).await.ok();
        let mut waiting = vec![Request::Leave { member: MemberId::numbered(3), for_good: true }];
        coalescer.complete(&mut incoming, &mut waiting).await;
        assert_eq!((waiting.len(), coalescer.awaited.len()), (1, 1));
    }
}
