//! Lost connections whose places are kept, and a bound on their number. Pure.

use core::net::IpAddr;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::MemberId;
use crate::protocol::Limits;

/// When a connection was lost, and its membership.
type Lost = (Duration, MemberId);

/// The lost connections. Each is charged to the address it came from, so that those of one address
/// cannot end the grace of others.
#[derive(Debug)]
pub(super) struct Ghosts {
    /// The maximum from one address; 0 means no cap.
    per_address: usize,
    /// The maximum from all addresses together.
    most: usize,
    /// All of them, the oldest first.
    all: BTreeSet<Lost>,
    /// Those that are charged to an address.
    by_address: HashMap<IpAddr, BTreeSet<Lost>>,
    /// For each address, how many it has and its oldest one. The last entry is the address that has
    /// most.
    fullest: BTreeSet<(usize, Reverse<Lost>)>,
    /// The number of those that are charged to an address.
    charged: usize,
}

impl Ghosts {
    /// Returns an empty set with a cap of `per_address` (0 means no cap) and of `most` in all.
    pub(super) fn new(per_address: usize, most: usize) -> Self {
        Self {
            per_address,
            most,
            all: BTreeSet::new(),
            by_address: HashMap::new(),
            fullest: BTreeSet::new(),
            charged: 0,
        }
    }

    /// Returns the one that was lost first.
    pub(super) fn oldest(&self) -> Option<Lost> {
        self.all.first().copied()
    }

    /// Adds one. Those of an earlier run have no address and count towards no cap.
    pub(super) fn add(&mut self, lost: Lost, address: Option<IpAddr>) {
        if self.all.insert(lost)
            && let Some(address) = address
        {
            self.charged += 1;
            self.charge(address, |its| its.insert(lost));
        }
    }

    /// Removes one that was added with this address.
    pub(super) fn remove(&mut self, lost: Lost, address: Option<IpAddr>) {
        if self.all.remove(&lost)
            && let Some(address) = address
        {
            self.charged -= 1;
            self.charge(address, |its| its.remove(&lost));
        }
    }

    /// Returns the one that must give way now that `address` has one more, if any. It is the oldest
    /// of that address if it has too many, otherwise the oldest of the address that has most.
    pub(super) fn surplus(&self, address: IpAddr) -> Option<MemberId> {
        let its = self.by_address.get(&address)?;
        let (_, member) = if self.per_address > 0 && its.len() > self.per_address {
            its.first()?
        } else {
            let (_, Reverse(oldest)) = self.fullest.last().filter(|_| self.charged > self.most)?;
            oldest
        };
        Some(*member)
    }

    fn charge(&mut self, address: IpAddr, change: impl FnOnce(&mut BTreeSet<Lost>) -> bool) {
        let its = self.by_address.entry(address).or_default();
        if let Some(oldest) = its.first() {
            self.fullest.remove(&(its.len(), Reverse(*oldest)));
        }
        change(its);
        match its.first() {
            Some(oldest) => drop(self.fullest.insert((its.len(), Reverse(*oldest)))),
            None => drop(self.by_address.remove(&address)),
        }
    }

    /// Checks that exactly these are here, each charged to its address, and that no cap is
    /// exceeded.
    #[cfg(test)]
    pub(super) fn check(&self, expected: impl IntoIterator<Item = (Lost, Option<IpAddr>)>) {
        let (mut all, mut by_address) = (BTreeSet::new(), HashMap::<_, BTreeSet<_>>::new());
        for (lost, address) in expected {
            all.insert(lost);
            if let Some(address) = address {
                by_address.entry(address).or_default().insert(lost);
            }
        }
        let of = |its: &BTreeSet<Lost>| Some((its.len(), Reverse(*its.first()?)));
        let fullest = by_address.values().filter_map(of).collect();
        let charged = by_address.values().map(BTreeSet::len).sum::<usize>();
        assert_eq!((&self.all, &self.by_address, &self.fullest), (&all, &by_address, &fullest));
        assert_eq!(self.charged, charged);
        assert!(charged <= self.most, "{self:?}");
        assert!(self.per_address == 0 || by_address.values().all(|its| its.len() <= self.per_address), "{self:?}");
    }
}

impl Default for Ghosts {
    fn default() -> Self {
        Self::new(0, Limits::GHOSTS)
    }
}
