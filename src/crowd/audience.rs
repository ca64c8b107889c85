//! Who makes a page's requests: distinct clients, and the hosts that sent them. Kept only while a page is lively, so that
//! quiet pages cost nothing. It judges nobody: it counts.

use cardinality_estimator::CardinalityEstimator;

use super::referrer::Referrers;

/// The clients and referrers of a lively page, over its last one to two thousand requests or one to two longest epochs.
#[derive(Debug, Default)]
pub(super) struct Audience {
    newer: Sample,
    older: Sample,
    referrers: Referrers,
    /// The epoch that the newer sample began in.
    began: u32,
    /// The last epoch in which the page was lively enough to look at its clients.
    pub(super) lively: u32,
}

impl Audience {
    pub(super) fn new(epoch: u32) -> Self {
        Self {
            began: epoch,
            lively: epoch,
            ..Self::default()
        }
    }

    /// Counts a request by a client's name.
    pub(super) fn add(&mut self, client: u64, referrer: Option<&str>) {
        if self.newer.requests >= SAMPLE {
            self.turn(self.began);
        }
        self.newer.requests += 1;
        self.newer.clients.insert_hash(client);
        self.referrers.add(referrer);
    }

    /// Counts many requests at once: those of the whole site.
    pub(super) fn absorb(&mut self, requests: u32, seen: &Seen) {
        if self.newer.requests >= SAMPLE {
            self.turn(self.began);
        }
        self.newer.requests = self.newer.requests.saturating_add(requests);
        self.newer.clients.merge(&seen.clients);
        self.referrers.merge(&seen.referrers);
    }

    /// Lets go of what is older than two spans.
    pub(super) fn advance(&mut self, epoch: u32, span: u32) {
        let age = epoch.saturating_sub(self.began);
        if age >= span {
            self.turn(epoch);
        }
        if age >= span.saturating_mul(2) {
            self.turn(epoch);
        }
    }

    /// Distinct clients and requests now.
    pub(super) fn turnout(&self) -> Turnout {
        if self.newer.requests >= ENOUGH {
            return Turnout {
                requests: self.newer.requests,
                clients: self.newer.clients.estimate(),
            };
        }
        let mut both = self.older.clients.clone();
        both.merge(&self.newer.clients);
        Turnout {
            requests: self.newer.requests.saturating_add(self.older.requests),
            clients: both.estimate(),
        }
    }

    /// The hosts that sent the most, with their shares of all requests.
    pub(super) fn referrers(&self) -> Vec<(Box<str>, f64)> {
        self.referrers.top()
    }

    fn turn(&mut self, epoch: u32) {
        self.older = std::mem::take(&mut self.newer);
        self.began = epoch;
    }
}

/// Who made requests that somebody else counts.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) clients: Clients,
    pub(super) referrers: Referrers,
}

impl Seen {
    pub(super) fn merge(&mut self, other: &Self) {
        self.clients.merge(&other.clients);
        self.referrers.merge(&other.referrers);
    }
}

/// A sketch of distinct clients, of their names. At 10 bits it errs by 3 %; what it decides lies factors apart.
pub(super) type Clients = CardinalityEstimator<u64, std::hash::DefaultHasher, 10, 6>;

#[derive(Debug, Default)]
struct Sample {
    requests: u32,
    clients: Clients,
}

/// How many clients made how many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turnout {
    pub(super) requests: u32,
    pub(super) clients: usize,
}

impl Turnout {
    /// Distinct clients over requests, at most 1.
    pub(super) fn share(self) -> f64 {
        if self.requests == 0 {
            0.0
        } else {
            (self.clients as f64 / f64::from(self.requests)).min(1.0)
        }
    }
}

/// Requests after which a sample is full: a visitor that stays to look around does not dilute the crowd for ever, and the
/// sketch stays within a kilobyte.
const SAMPLE: u32 = 1024;
/// Requests from which the newer sample speaks alone.
const ENOUGH: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Names as the detector makes them: spread over all 64 bits.
    fn client(number: u32) -> u64 {
        super::super::key::Naming::new(1, &[]).client(std::net::Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn one_client_is_no_audience_and_many_are() {
        let mut script = Audience::new(0);
        let mut crowd = Audience::new(0);
        for number in 0..5_000 {
            script.add(client(1), None);
            crowd.add(client(number), None);
        }
        assert!(script.turnout().share() < 0.05, "{:?}", script.turnout());
        assert!(crowd.turnout().share() > 0.9, "{:?}", crowd.turnout());
    }

    #[test]
    fn a_script_is_not_hidden_by_the_visitors_before_it() {
        let mut audience = Audience::new(0);
        (0..900).for_each(|number| audience.add(client(number), None));
        assert!(audience.turnout().share() > 0.9);
        (0..3_000).for_each(|_| audience.add(client(7), None));
        assert!(audience.turnout().share() < 0.05, "{:?}", audience.turnout());
    }

    #[test]
    fn what_is_old_is_let_go() {
        let mut audience = Audience::new(0);
        (0..40).for_each(|number| audience.add(client(number), None));
        audience.advance(60, 60);
        assert_eq!(
            audience.turnout(),
            Turnout {
                requests: 40,
                clients: 40
            }
        );
        audience.advance(120, 60);
        assert_eq!(audience.turnout().requests, 0);
    }
}
