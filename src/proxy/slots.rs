//! The places for connections: so many in all, and so many for one address, so that a single visitor who holds
//! connections open (by reading slowly, say) never keeps the others out.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::ServerSettings;

/// All places, taken and free.
#[derive(Debug)]
pub(super) struct Slots {
    all: Arc<Semaphore>,
    /// One entry for each address with a connection: never more than `all` has places.
    taken: Arc<Taken>,
    per_address: usize,
}

/// One place; whoever holds a clone keeps it taken.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    _place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    _permit: OwnedSemaphorePermit,
    address: IpAddr,
    taken: Arc<Taken>,
}

#[derive(Debug, Default)]
struct Taken(Mutex<HashMap<IpAddr, usize>>);

impl Slots {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        Self {
            all: Arc::new(Semaphore::new(settings.connections.min(Semaphore::MAX_PERMITS))),
            taken: Arc::default(),
            per_address: settings.connections_per_address,
        }
    }

    /// Waits until one more connection may be taken.
    pub(super) async fn free(&self) -> OwnedSemaphorePermit {
        self.all
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed")
    }

    /// Gives the place to a connection from this address, if it has not too many already.
    pub(super) fn take(&self, permit: OwnedSemaphorePermit, address: IpAddr) -> Option<Slot> {
        let address = prefix(address);
        let mut taken = self.taken.lock();
        let count = taken.entry(address).or_insert(0);
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(Slot {
            _place: Arc::new(Place {
                _permit: permit,
                address,
                taken: self.taken.clone(),
            }),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

impl Taken {
    /// The map is whole between any two statements, so a panic elsewhere leaves nothing to distrust.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One visitor has a whole /64 of IPv6 addresses.
fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_takes_its_share_and_no_more() {
        let settings = ServerSettings {
            connections: 5,
            connections_per_address: 2,
            ..ServerSettings::default()
        };
        let slots = Slots::new(&settings);
        let take = async |address: &str| slots.take(slots.free().await, address.parse().expect("an address"));

        let first = take("2001:db8::1").await.expect("the first");
        let second = take("2001:db8::2").await.expect("the second");
        assert!(take("2001:db8:0:0:ffff::3").await.is_none(), "the same /64");
        let other = take("2001:db8:0:1::1").await.expect("another network");
        let clone = second.clone();
        drop(second);
        assert!(take("2001:db8::3").await.is_none(), "a clone keeps the place");
        drop(clone);
        let third = take("2001:db8::3").await.expect("a place came free");
        let mapped = take("::ffff:192.0.2.1").await.expect("another address");
        assert_eq!(slots.all.available_permits(), 1);
        drop((first, other, third, mapped));
        assert_eq!(slots.all.available_permits(), 5);
        assert!(slots.taken.lock().is_empty(), "nobody is remembered");
    }
}
