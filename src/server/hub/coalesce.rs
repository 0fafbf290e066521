//! When a turn begins: a turn costs nearly the same for one message as for a hundred, so it is
//! worth a little patience to take together what comes at nearly the same time.

use std::{collections::HashSet, time::Duration};

use tokio::{sync::mpsc, task::yield_now, time::sleep};

use crate::{protocol::Limits, rooms::MemberId, server::hub::handle::Request};

/// How often others get their turn first, while what they do brings more for this one.
const YIELDS: u32 = 8;

/// Messages of a turn, from which on the next waits for those who said them. Most talk is slower,
/// and waits for nobody.
const COALESCE_THRESHOLD: usize = 16;

/// How long it waits for them, to the next tick of a clock that ticks as often.
const PATIENCE: Duration = Duration::from_millis(1);

/// Completes one turn after the other.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    /// Who spoke in the last turn, if it had [`COALESCE_THRESHOLD`] messages.
    awaited: HashSet<MemberId>,
}

/// What is known of the turn that is to begin.
struct Next {
    messages: usize,
    speakers: HashSet<MemberId>,
    /// Who is waited for.
    absent: HashSet<MemberId>,
}

impl Coalescer {
    /// Adds to `waiting` what else belongs to the same turn, where there are messages in it: lets
    /// whoever has something to say now say it, and after many messages waits for those who said
    /// them. Whoever has much to say says more as soon as they hear their own, and half of them one
    /// turn ahead of the others would make twice as many turns. Not cancel-safe.
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
                // First, or others who speak on would put it off.
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

    /// Returns how many requests are in the turn that `ada` begins after a last turn of `ada` and
    /// `bob`, and how long it waited. `bob` says something more, if at all, when others have had
    /// their turn so often.
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
