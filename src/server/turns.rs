//! A fair queue for reading the store. A fixed number of turns exist at one time. Those who wait
//! get turns in rotation, one address after the other. So a client that asks for everything makes
//! each other client wait for one page, and not for all its pages.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

/// What the turn is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Somebody joins, resumes or has fallen behind. These get every other turn.
    CatchUp,
    /// Somebody has asked for something.
    Question,
}

/// The turns in use, and the queue for them.
#[derive(Debug)]
pub(crate) struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Nobody waits while a turn is free.
    free: usize,
    catch_ups: Queue,
    questions: Queue,
    last: Purpose,
}

/// The waiting requests, by address. Each address has one turn at a time.
#[derive(Debug, Default)]
struct Queue {
    waiting: HashMap<IpAddr, VecDeque<oneshot::Sender<Turn>>>,
    order: VecDeque<IpAddr>,
}

/// A turn. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` for a turn that nobody took.
    state: Option<Arc<Mutex<State>>>,
}

impl Turns {
    /// Returns a queue with `at_once` turns at one time.
    pub(crate) fn new(at_once: usize) -> Self {
        let last = Purpose::Question;
        Self(Arc::new(Mutex::new(State {
            free: at_once,
            catch_ups: Queue::default(),
            questions: Queue::default(),
            last,
        })))
    }

    /// Returns a turn when it is the turn of somebody at `address`. Cancel-safe: a request that is
    /// dropped while it waits is skipped.
    pub(crate) async fn take(&self, purpose: Purpose, address: IpAddr) -> Turn {
        let waiting = {
            let mut state = lock(&self.0);
            if state.free > 0 {
                state.free -= 1;
                return self.turn();
            }
            state.queue(purpose).push(address)
        };
        // The sender is never dropped unsent: those who hold a turn keep the state alive. If it
        // were dropped, no turn would be in use.
        waiting.await.unwrap_or_else(|_| self.turn())
    }

    /// Returns the number of waiting requests.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        let state = lock(&self.0);
        [&state.catch_ups, &state.questions].iter().flat_map(|queue| queue.waiting.values()).map(VecDeque::len).sum()
    }

    /// Returns this purpose's share of `time`, divided by the number of waiting addresses, but at
    /// least `least`.
    pub(crate) fn share(&self, purpose: Purpose, time: Duration, least: Duration) -> Duration {
        let addresses = lock(&self.0).queue(purpose).waiting.len();
        (time / u32::try_from(addresses.saturating_add(1)).unwrap_or(u32::MAX)).max(least)
    }

    fn turn(&self) -> Turn {
        Turn { state: Some(Arc::clone(&self.0)) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(shared) = self.state.take() else { return };
        let mut state = lock(&shared);
        while let Some(next) = state.next() {
            match next.send(Self { state: Some(Arc::clone(&shared)) }) {
                Ok(()) => return,
                Err(mut untaken) => untaken.state = None,
            }
        }
        state.free += 1;
    }
}

impl State {
    fn queue(&mut self, purpose: Purpose) -> &mut Queue {
        match purpose {
            Purpose::CatchUp => &mut self.catch_ups,
            Purpose::Question => &mut self.questions,
        }
    }

    /// Returns the request that gets the next turn.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let order = match self.last {
            Purpose::CatchUp => [Purpose::Question, Purpose::CatchUp],
            Purpose::Question => [Purpose::CatchUp, Purpose::Question],
        };
        order.into_iter().find_map(|purpose| {
            let next = self.queue(purpose).pop()?;
            self.last = purpose;
            Some(next)
        })
    }
}

impl Queue {
    fn push(&mut self, address: IpAddr) -> oneshot::Receiver<Turn> {
        /// The queue length of one address from which dropped requests are removed.
        const GONE: usize = 64;
        let (turn, waiting) = oneshot::channel();
        let lane = self.waiting.entry(address).or_insert_with(|| {
            self.order.push_back(address);
            VecDeque::new()
        });
        // Only at powers of two, so that a long queue is not searched each time.
        if lane.len() >= GONE && lane.len().is_power_of_two() {
            lane.retain(|waiting| !waiting.is_closed());
        }
        lane.push_back(turn);
        waiting
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some(address) = self.order.pop_front() {
            let Some(lane) = self.waiting.get_mut(&address) else { continue };
            let next = std::iter::from_fn(|| lane.pop_front()).find(|waiting| !waiting.is_closed());
            if lane.is_empty() {
                self.waiting.remove(&address);
            } else {
                self.order.push_back(address);
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // No code that can panic runs under the lock.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::{FutureExt as _, StreamExt as _, future::LocalBoxFuture, stream::FuturesOrdered};

    use super::*;

    fn address(number: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, number).into()
    }

    /// Enqueues the given requests in this order, and returns the order in which they get their
    /// turns.
    fn served(turns: &Turns, waiting: &[(Purpose, u8)]) -> Vec<u8> {
        let first = turns.take(Purpose::Question, address(0)).now_or_never().unwrap();
        let mut waiting: Vec<Option<(u8, LocalBoxFuture<'_, Turn>)>> = waiting
            .iter()
            .map(|(purpose, who)| {
                let mut turn = turns.take(*purpose, address(*who)).boxed_local();
                assert!((&mut turn).now_or_never().is_none());
                Some((*who, turn))
            })
            .collect();
        let (mut has_turn, mut order) = (Some(first), Vec::new());
        while let Some(turn) = has_turn.take() {
            drop(turn);
            for place in &mut waiting {
                if let Some((who, turn)) = place
                    && let Some(turn) = turn.now_or_never()
                {
                    assert!(has_turn.is_none(), "one at a time");
                    has_turn = Some(turn);
                    order.push(*who);
                    *place = None;
                }
            }
        }
        assert!(waiting.iter().all(Option::is_none));
        order
    }

    #[test]
    fn who_asks_for_much_delays_each_other_by_one() {
        use Purpose::Question;
        let turns = Turns::new(1);
        let many = [(Question, 1); 200];
        let order = served(&turns, &[&many[..], &[(Question, 2), (Question, 3), (Question, 2)]].concat());
        assert_eq!(order[..6], [1, 2, 3, 1, 2, 1]);
        assert_eq!(order.len(), 203);
    }

    #[test]
    fn who_comes_in_has_every_other_turn_however_many_ask() {
        use Purpose::{CatchUp, Question};
        let turns = Turns::new(1);
        let many: Vec<_> = (1..100).map(|who| (Question, who)).collect();
        let order = served(&turns, &[&many[..], &[(CatchUp, 201), (CatchUp, 202)]].concat());
        assert_eq!(order[..4], [201, 1, 202, 2]);
    }

    #[test]
    fn time_is_shared_by_the_addresses_that_wait_however_many_are_at_each() {
        use Purpose::{CatchUp, Question};
        let turns = Turns::new(1);
        let share = || turns.share(Question, Duration::from_secs(12), Duration::from_secs(2)).as_secs();
        let mut all = vec![turns.take(CatchUp, address(0)).now_or_never()];
        let mut waiting = Vec::new();
        for (purpose, who, shared) in
            [(CatchUp, 9, 12), (Question, 1, 6), (Question, 1, 6), (Question, 2, 4), (Question, 3, 3), (Question, 4, 2)]
        {
            let mut turn = turns.take(purpose, address(who)).boxed_local();
            assert!((&mut turn).now_or_never().is_none());
            waiting.push(turn);
            assert_eq!(share(), shared, "{purpose:?} {who}");
        }
        all.extend((5..100).map(|who| turns.take(Question, address(who)).now_or_never()));
        assert_eq!(share(), 2, "not less than that");
    }

    #[tokio::test]
    async fn who_goes_away_takes_no_turn_with_them() {
        let turns = Turns::new(2);
        for _ in 0..3 {
            let taken =
                [turns.take(Purpose::CatchUp, address(1)).await, turns.take(Purpose::Question, address(1)).await];
            let mut gone: FuturesOrdered<_> = (0..500).map(|_| turns.take(Purpose::Question, address(2))).collect();
            assert!(gone.next().now_or_never().is_none());
            let mut stays = Box::pin(turns.take(Purpose::Question, address(2)));
            assert!((&mut stays).now_or_never().is_none());
            // One of them has its turn already and has not looked yet.
            let [first, second] = taken;
            drop(first);
            drop(gone);
            drop(second);
            drop(stays.await);
            let state = lock(&turns.0);
            assert_eq!((state.free, state.questions.waiting.len(), state.questions.order.len()), (2, 0, 0));
        }
    }

    #[tokio::test]
    async fn those_who_have_gone_take_no_memory() {
        let turns = Turns::new(0);
        for _ in 0..10_000 {
            assert!(turns.take(Purpose::Question, address(1)).now_or_never().is_none());
        }
        assert!(lock(&turns.0).questions.waiting[&address(1)].len() <= 64);
    }
}
