//! Decides which connections are admitted: caps on all connections and on those from one address,
//! and a limit on how often one address may try. Pure: the time is an argument.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::protocol::Limits;
use crate::server::rate_limit::Rate;

/// Why a connection is not admitted. Its text is the body of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitReached {
    /// The server has `--max-connections` connections.
    #[error("the server is full; try again later")]
    Server,
    /// This address has `--max-per-address` connections.
    #[error("too many connections from your address; close one and try again")]
    Address,
    /// This address connects faster than `--connect-rate`.
    #[error("your address connects too often; try again later")]
    TooOften,
}

impl LimitReached {
    /// Returns the flag that was exceeded, for the operator, who can change it.
    pub(crate) fn bound(self) -> &'static str {
        match self {
            Self::Server => "as many connections are there as may be (--max-connections)",
            Self::Address => "from one address came more than may be there (--max-per-address)",
            Self::TooOften => "from one address came more in a second than may (--connect-rate)",
        }
    }
}

/// The decision about an accepted connection.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is admitted, and counts until the permit is dropped.
    Admitted(Permit),
    /// Its request is read, and it is told why it is refused.
    Refused(LimitReached, Permit),
    /// Too many are being told so already, so it is closed without an answer.
    Ignored(LimitReached),
}

/// The operator's settings; 0 means no cap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    pub(crate) connections: u32,
    pub(crate) per_address: u32,
    /// The maximum number of new connections a second from one address.
    pub(crate) connect_rate: u32,
    /// The maximum number of refusals that are answered at one time.
    pub(crate) refusals: usize,
}

/// The caps, and the connections that count against them. Clones share the counts.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimiter {
    counts: Arc<Mutex<Counts>>,
    caps: Caps,
}

#[derive(Debug, Default)]
struct Counts {
    admitted: u32,
    refused: usize,
    by_address: HashMap<IpAddr, Address>,
    /// When this many addresses are known, those that no longer count are removed.
    sweep_at: usize,
}

/// What one address has done recently.
#[derive(Debug)]
struct Address {
    connections: u32,
    /// How often it may connect.
    connects: Option<Rate>,
    /// How often its refusals may be answered.
    answers: Option<Rate>,
}

/// Counts a connection until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    counts: Arc<Mutex<Counts>>,
    /// `None` for a refused connection.
    address: Option<IpAddr>,
}

impl ConnectionLimiter {
    /// Returns a limiter with these caps.
    pub(crate) fn new(caps: Caps) -> Self {
        Self { counts: Arc::default(), caps }
    }

    /// Decides about a connection from `address`, and counts it if it is admitted.
    pub(crate) fn admit(&self, address: IpAddr, now: Duration) -> Admission {
        let Caps { connections, per_address, connect_rate, refusals } = self.caps;
        let address = network(address);
        let mut counts = lock(&self.counts);
        counts.sweep(now);
        let (admitted, refused) = (counts.admitted, counts.refused);
        let here = counts.by_address.entry(address).or_insert_with(|| Address {
            connections: 0,
            connects: Rate::new(connect_rate, connect_rate.saturating_mul(Limits::CONNECT_BURST)),
            answers: Rate::new(connect_rate, connect_rate),
        });
        let full = match () {
            () if here.connects.as_mut().is_some_and(|rate| !rate.take(now)) => LimitReached::TooOften,
            () if connections > 0 && admitted >= connections => LimitReached::Server,
            () if per_address > 0 && here.connections >= per_address => LimitReached::Address,
            () => {
                here.connections += 1;
                counts.admitted += 1;
                return Admission::Admitted(Permit { counts: Arc::clone(&self.counts), address: Some(address) });
            }
        };
        if refused >= refusals || here.answers.as_mut().is_some_and(|rate| !rate.take(now)) {
            return Admission::Ignored(full);
        }
        counts.refused += 1;
        Admission::Refused(full, Permit { counts: Arc::clone(&self.counts), address: None })
    }
}

impl Counts {
    /// Removes the addresses that no longer count, whenever there are twice as many as the last
    /// sweep left. This bounds their number, and the cost a connection is constant.
    fn sweep(&mut self, now: Duration) {
        const FEW: usize = 1024;
        if self.by_address.len() < self.sweep_at.max(FEW) {
            return;
        }
        let is_full = |rate: &Option<Rate>| rate.as_ref().is_none_or(|rate| rate.is_full(now));
        self.by_address.retain(|_, here| here.connections > 0 || !is_full(&here.connects) || !is_full(&here.answers));
        self.sweep_at = 2 * self.by_address.len();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        let Some(address) = self.address else {
            counts.refused -= 1;
            return;
        };
        counts.admitted -= 1;
        if let Some(here) = counts.by_address.get_mut(&address) {
            here.connections -= 1;
        }
    }
}

/// The refusals that are to be logged. Each kind is logged at once and then at most once a minute,
/// so that many refused connections do not fill the disk.
#[derive(Debug, Default)]
pub(crate) struct Refusals([Refused; 3]);

#[derive(Debug, Default, Clone, Copy)]
struct Refused {
    /// The number since the last line.
    count: u64,
    /// The earliest time of the next line.
    next: Duration,
}

impl Refusals {
    const KINDS: [LimitReached; 3] = [LimitReached::Server, LimitReached::Address, LimitReached::TooOften];

    /// The minimum time between two lines of one kind.
    const EVERY: Duration = Duration::from_mins(1);

    /// Counts one refusal.
    pub(crate) fn count(&mut self, full: LimitReached) {
        self.0[full as usize].count += 1;
    }

    /// Returns when the next line is due, if there is one.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.0.iter().filter(|refused| refused.count > 0).map(|refused| refused.next).min()
    }

    /// Returns the lines that are due now: the reason, and how many were refused.
    pub(crate) fn take(&mut self, now: Duration) -> Vec<(LimitReached, u64)> {
        let due = self.0.iter_mut().zip(Self::KINDS).filter(|(refused, _)| refused.count > 0 && refused.next <= now);
        due.map(|(refused, full)| {
            refused.next = now + Self::EVERY;
            (full, std::mem::take(&mut refused.count))
        })
        .collect()
    }

    /// Returns the lines that are left when no more refusals will come.
    pub(crate) fn rest(self) -> impl Iterator<Item = (LimitReached, u64)> {
        let counted = Self::KINDS.into_iter().zip(self.0).map(|(full, refused)| (full, refused.count));
        counted.filter(|(_, count)| *count > 0)
    }
}

/// Returns the network that is treated as one subscriber: an IPv4 address, or an IPv6 /64, which is
/// the smallest network that a subscriber is given (RFC 6177).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const NOW: Duration = Duration::from_secs(50);
    const NONE: Caps = Caps { connections: 0, per_address: 0, connect_rate: 0, refusals: Limits::REFUSALS };

    #[test]
    fn the_caps_hold_and_a_place_is_free_again() {
        let door = ConnectionLimiter::new(Caps { connections: 3, per_address: 2, ..NONE });
        let first = door.admit(ip("10.0.0.1"), NOW);
        let _second = door.admit(ip("10.0.0.1"), NOW);
        assert!(matches!(door.admit(ip("10.0.0.1"), NOW), Admission::Refused(LimitReached::Address, _)));
        let _third = door.admit(ip("10.0.0.2"), NOW);
        assert!(matches!(door.admit(ip("10.0.0.3"), NOW), Admission::Refused(LimitReached::Server, _)));
        drop(first);
        assert!(matches!(door.admit(ip("10.0.0.1"), NOW), Admission::Admitted(_)));
    }

    #[test]
    fn none_is_no_cap() {
        let door = ConnectionLimiter::new(NONE);
        let all: Vec<_> = (0..10_000).map(|_| door.admit(ip("10.0.0.1"), NOW)).collect();
        assert!(all.iter().all(|admission| matches!(admission, Admission::Admitted(_))));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let door = ConnectionLimiter::new(Caps { per_address: 1, ..NONE });
        let _first = door.admit(ip("2001:db8::1"), NOW);
        assert!(matches!(door.admit(ip("2001:db8::2"), NOW), Admission::Refused(LimitReached::Address, _)));
        assert!(matches!(door.admit(ip("2001:db8:0:1::1"), NOW), Admission::Admitted(_)));
    }

    #[test]
    fn refusals_are_bounded_too() {
        let door = ConnectionLimiter::new(Caps { connections: 1, ..NONE });
        let _all: Vec<_> = (0..=Limits::REFUSALS).map(|_| door.admit(ip("10.0.0.1"), NOW)).collect();
        assert!(matches!(door.admit(ip("10.0.0.1"), NOW), Admission::Ignored(LimitReached::Server)));
    }

    #[test]
    fn who_connects_too_often_is_told_and_then_only_closed_and_others_come_in() {
        let door = ConnectionLimiter::new(Caps { connect_rate: 5, ..NONE });
        // None of them stays.
        let come = |address: &str, now| match door.admit(ip(address), now) {
            Admission::Admitted(_) => "in",
            Admission::Refused(LimitReached::TooOften, _) => "told",
            Admission::Ignored(LimitReached::TooOften) => "closed",
            other => panic!("{other:?}"),
        };
        let burst = 5 * Limits::CONNECT_BURST;
        let all: Vec<_> = (0..burst + 7).map(|_| come("10.0.0.1", NOW)).collect();
        let (first, rest) = all.split_at(burst as usize);
        assert!(first.iter().all(|come| *come == "in"), "{first:?}");
        assert_eq!(rest, ["told", "told", "told", "told", "told", "closed", "closed"]);
        assert_eq!(come("10.0.0.2", NOW), "in");
        let later = NOW + Duration::from_millis(200);
        assert_eq!(
            [come("10.0.0.1", later), come("10.0.0.1", later), come("10.0.0.1", later)],
            ["in", "told", "closed"]
        );
    }

    #[test]
    fn addresses_that_say_nothing_are_forgotten() {
        let door = ConnectionLimiter::new(Caps { connect_rate: 50, ..NONE });
        let _stays = door.admit(ip("192.168.0.1"), NOW);
        for number in 0..100_000_u32 {
            // A thousand addresses a second.
            let now = NOW + Duration::from_millis(number.into());
            drop(door.admit(Ipv4Addr::from_bits(0x0a00_0000 + number).into(), now));
            assert!(lock(&door.counts).by_address.len() <= 2048, "{number}");
        }
        assert_eq!(lock(&door.counts).by_address[&ip("192.168.0.1")].connections, 1);
    }

    #[test]
    fn refusals_are_logged_at_once_and_then_once_a_minute_a_kind() {
        let mut refusals = Refusals::default();
        assert_eq!((refusals.due(), refusals.take(NOW)), (None, vec![]));
        refusals.count(LimitReached::Server);
        assert!(refusals.due().is_some_and(|due| due <= NOW));
        assert_eq!(refusals.take(NOW), [(LimitReached::Server, 1)]);
        let minute = NOW + Duration::from_mins(1);
        for _ in 0..1000 {
            refusals.count(LimitReached::Server);
            assert_eq!((refusals.due(), refusals.take(NOW + Duration::from_secs(59))), (Some(minute), vec![]));
        }
        refusals.count(LimitReached::TooOften);
        assert_eq!(refusals.take(NOW), [(LimitReached::TooOften, 1)], "each kind has its own minute");
        assert_eq!((refusals.take(minute), refusals.due()), (vec![(LimitReached::Server, 1000)], None));
        refusals.count(LimitReached::Server);
        assert_eq!(refusals.take(minute), [], "there was a line just now");
        assert_eq!(refusals.rest().collect::<Vec<_>>(), [(LimitReached::Server, 1)]);
    }
}
