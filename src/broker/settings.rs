//! What an operator may decide about the broker, and why the defaults are as they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{broker::room::Rules, unit::ByteSize};

/// The broker: who meets whom, and what one stranger may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[cfg_attr(feature = "proxy", derive(documented::DocumentedFields))]
pub struct Settings {
    /// Rooms at once, one for each hot page. A crowd comes to few pages; what is above stays with plain HTTP.
    pub rooms: usize,
    /// Visitors in one room. More would only be strangers to each other: nobody meets more than a few dozen.
    pub visitors_per_room: usize,
    /// Signalling sockets in all. At 8 KiB each this is 160 MiB; one above it gets 503 and plain HTTP.
    pub sockets: usize,
    /// Signalling sockets of one IPv4 address or one IPv6 /64. A school or a carrier's gateway has many visitors
    /// behind one address; a flood from one address gets no further than this.
    pub sockets_per_address: usize,
    /// Others that a newcomer meets at once, and at most so many whenever it needs more; who comes while there are fewer
    /// meets those who come next. Neighbours introduce the others, so
    /// that the work for each visitor stays the same however large the crowd; of two, one may be out of reach.
    pub introductions: usize,
    /// Links after which a visitor is introduced to nobody any more: one and a half times eight.
    pub links: usize,
    /// Where visitors ask for their own address instead of at our UDP socket: a `stun:` URL. Only needed where the site's host
    /// name does not lead to this process, as behind a load balancer without UDP.
    pub stun_url: Option<String>,
    /// Whether visitors learn each other's private addresses. Only for intranets and tests: they connect visitors of
    /// one network directly, and tell strangers about it.
    pub lan_candidates: bool,
    /// How long a token of a page opens its room. The page joins within seconds; the rest is for slow devices, and for
    /// coming back after a lost socket.
    #[serde(with = "humantime_serde")]
    pub token_life: Duration,
    /// How long a new socket may take to show its token. What a page needs is one round trip.
    #[serde(with = "humantime_serde")]
    pub join_within: Duration,
    /// How long one message may take to leave. Whoever reads more slowly than this is let go, not waited for.
    #[serde(with = "humantime_serde")]
    pub send_within: Duration,
    /// How often a silent socket is pinged. Home routers forget a silent TCP connection after some minutes, some
    /// mobile gateways after one.
    #[serde(with = "humantime_serde")]
    pub ping_every: Duration,
    /// How long a socket may be silent, pings unanswered, before it is closed: two pings and some seconds.
    #[serde(with = "humantime_serde")]
    pub idle_after: Duration,
    /// Messages that one socket may send at once. Twelve links cost one identity, six candidates and one outcome each.
    pub burst: u32,
    /// Messages that one socket may send per second, for ever. A page reports every few seconds.
    pub messages_per_second: u32,
    /// Messages that wait for one socket. Twelve introductions at once fill it by three quarters; whoever lets it
    /// overflow does not read, and is let go.
    pub queue: usize,
    /// Bytes that one visit may report before its figures are not believed. Far above any page.
    pub report_max: ByteSize,
    /// STUN requests per second that one IPv4 address or one IPv6 /64 gets answered. A visitor sends one for each link,
    /// and a gateway has many visitors; a victim in whose name requests are forged gets 5 KiB/s of answers at most.
    pub stun_per_second: u32,
}

/// A setting of the broker that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A number that must be at least one.
    #[error("broker.{0} is 0, and must be at least 1")]
    Zero(&'static str),
    /// A time that must not be zero.
    #[error("broker.{0} is no time at all")]
    Instant(&'static str),
    /// More introductions than links.
    #[error("broker.introductions is {introductions}, and must be at most broker.links, {links}")]
    Introductions {
        /// The value.
        introductions: usize,
        /// Its bound.
        links: usize,
    },
    /// A socket would be idle before it was pinged.
    #[error("broker.idle_after is {idle_after:?}, and must be above broker.ping_every, {ping_every:?}")]
    Idle {
        /// The value.
        idle_after: Duration,
        /// Its bound.
        ping_every: Duration,
    },
}

impl Settings {
    /// Whether these settings can be.
    ///
    /// # Errors
    /// [`SettingsError`] with the first value that cannot.
    pub fn check(&self) -> Result<(), SettingsError> {
        let counts = [
            ("rooms", self.rooms),
            ("visitors_per_room", self.visitors_per_room),
            ("sockets", self.sockets),
            ("sockets_per_address", self.sockets_per_address),
            ("introductions", self.introductions),
            ("links", self.links),
            ("burst", self.burst as usize),
            ("messages_per_second", self.messages_per_second as usize),
            ("queue", self.queue),
            ("stun_per_second", self.stun_per_second as usize),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(SettingsError::Zero(name));
        }
        let times = [
            ("token_life", self.token_life),
            ("join_within", self.join_within),
            ("send_within", self.send_within),
            ("ping_every", self.ping_every),
        ];
        if let Some((name, _)) = times.into_iter().find(|(_, time)| time.is_zero()) {
            return Err(SettingsError::Instant(name));
        }
        let (introductions, links) = (self.introductions, self.links);
        if introductions > links {
            return Err(SettingsError::Introductions { introductions, links });
        }
        let (idle_after, ping_every) = (self.idle_after, self.ping_every);
        if idle_after <= ping_every {
            return Err(SettingsError::Idle {
                idle_after,
                ping_every,
            });
        }
        Ok(())
    }

    /// The part of them that rooms keep.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        Rules {
            visitors: self.visitors_per_room,
            introductions: self.introductions,
            links: self.links,
            lan: self.lan_candidates,
            report: self.report_max.0,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rooms: 64,
            visitors_per_room: 10_000,
            sockets: 20_000,
            sockets_per_address: 256,
            introductions: 2,
            links: 12,
            stun_url: None,
            lan_candidates: false,
            token_life: Duration::from_secs(600),
            join_within: Duration::from_secs(5),
            send_within: Duration::from_secs(5),
            ping_every: Duration::from_secs(25),
            idle_after: Duration::from_secs(60),
            burst: 128,
            messages_per_second: 16,
            queue: 128,
            report_max: ByteSize::gib(16),
            stun_per_second: 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_wrong_value_is_named() {
        let wrong = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().expect_err("a wrong value").to_string()
        };
        assert_eq!(
            wrong(|settings| settings.rooms = 0),
            "broker.rooms is 0, and must be at least 1"
        );
        assert!(wrong(|settings| settings.stun_per_second = 0).starts_with("broker.stun_per_second is 0"));
        assert!(wrong(|settings| settings.join_within = Duration::ZERO).starts_with("broker.join_within"));
        assert!(wrong(|settings| settings.introductions = 13).starts_with("broker.introductions is 13"));
        assert!(
            wrong(|settings| settings.idle_after = settings.ping_every)
                .starts_with("broker.idle_after is 25s")
        );
    }

    #[test]
    fn settings_survive_being_written_and_unknown_ones_are_refused() {
        let json = serde_json::to_string(&Settings::default()).expect("settings can be written");
        assert_eq!(
            serde_json::from_str::<Settings>(&json).expect("and read"),
            Settings::default()
        );
        let error = serde_json::from_str::<Settings>(r#"{"romms": 3}"#).expect_err("an unknown name");
        assert!(error.to_string().contains("romms"), "{error}");
    }
}
