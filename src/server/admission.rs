//! Who may come in: caps on connections, in all and from one address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::wire::Limits;

/// Why a connection is not let in; its words are the body of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// `--max-connections` are there.
    #[error("the server is full; try again later")]
    Server,
    /// `--max-per-address` from this address are there.
    #[error("too many connections from your address; close one and try again")]
    Address,
}

/// What becomes of a connection that was accepted.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It may come in, and counts until the pass is dropped.
    Admitted(Pass),
    /// It may ask what it wants and is told why it cannot come in.
    Refused(Full, Pass),
    /// Too many are being told so already: it is closed without a word.
    Ignored(Full),
}

/// The caps and who counts against them. Clones share the count.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    counts: Arc<Mutex<Counts>>,
    most: u32,
    most_per_address: u32,
}

#[derive(Debug, Default)]
struct Counts {
    admitted: u32,
    refused: usize,
    by_address: HashMap<IpAddr, u32>,
}

/// Counts a connection for as long as it lives.
#[derive(Debug)]
pub(crate) struct Pass {
    counts: Arc<Mutex<Counts>>,
    /// None for one that was refused.
    address: Option<IpAddr>,
}

impl Door {
    /// Returns a door with these caps, 0 meaning none.
    pub(crate) fn new(most: u32, most_per_address: u32) -> Self {
        Self { counts: Arc::default(), most, most_per_address }
    }

    /// Counts a connection from `address`, if it may come in.
    pub(crate) fn admit(&self, address: IpAddr) -> Admission {
        let address = network(address);
        let mut counts = lock(&self.counts);
        let here = counts.by_address.get(&address).copied().unwrap_or_default();
        let full = match () {
            () if self.most > 0 && counts.admitted >= self.most => Full::Server,
            () if self.most_per_address > 0 && here >= self.most_per_address => Full::Address,
            () => {
                counts.admitted += 1;
                counts.by_address.insert(address, here + 1);
                return Admission::Admitted(Pass { counts: Arc::clone(&self.counts), address: Some(address) });
            }
        };
        if counts.refused >= Limits::REFUSALS {
            return Admission::Ignored(full);
        }
        counts.refused += 1;
        Admission::Refused(full, Pass { counts: Arc::clone(&self.counts), address: None })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        let Some(address) = self.address else {
            counts.refused -= 1;
            return;
        };
        counts.admitted -= 1;
        if let Some(here) = counts.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

/// Returns what one subscriber has: an IPv4 address, or the /64 that is the least an IPv6 network is given (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
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
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_caps_hold_and_a_place_is_free_again() {
        let door = Door::new(3, 2);
        let first = door.admit(ip("10.0.0.1"));
        let _second = door.admit(ip("10.0.0.1"));
        assert!(matches!(door.admit(ip("10.0.0.1")), Admission::Refused(Full::Address, _)));
        let _third = door.admit(ip("10.0.0.2"));
        assert!(matches!(door.admit(ip("10.0.0.3")), Admission::Refused(Full::Server, _)));
        drop(first);
        assert!(matches!(door.admit(ip("10.0.0.1")), Admission::Admitted(_)));
    }

    #[test]
    fn none_is_no_cap() {
        let door = Door::new(0, 0);
        let all: Vec<_> = (0..1000).map(|_| door.admit(ip("10.0.0.1"))).collect();
        assert!(all.iter().all(|admission| matches!(admission, Admission::Admitted(_))));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let door = Door::new(0, 1);
        let _first = door.admit(ip("2001:db8::1"));
        assert!(matches!(door.admit(ip("2001:db8::2")), Admission::Refused(Full::Address, _)));
        assert!(matches!(door.admit(ip("2001:db8:0:1::1")), Admission::Admitted(_)));
    }

    #[test]
    fn refusals_are_bounded_too() {
        let door = Door::new(1, 0);
        let _all: Vec<_> = (0..=Limits::REFUSALS).map(|_| door.admit(ip("10.0.0.1"))).collect();
        assert!(matches!(door.admit(ip("10.0.0.1")), Admission::Ignored(Full::Server)));
    }
}
