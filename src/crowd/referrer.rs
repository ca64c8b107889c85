//! The hosts that send a page its visitors: the eight that matter, however many a stranger names.

use std::cmp::Reverse;

/// Counts of referring hosts, after Misra and Gries: whoever sent more than a ninth of the requests is in it.
#[derive(Debug, Default)]
pub(super) struct Referrers {
    hosts: Vec<(Box<str>, u32)>,
    requests: u32,
}

impl Referrers {
    /// Counts a request, with the Referer it carried.
    pub(super) fn add(&mut self, referrer: Option<&str>) {
        if self.requests >= MEMORY {
            self.age();
        }
        self.requests += 1;
        let Some(host) = referrer.and_then(host) else {
            return;
        };
        if let Some((_, count)) = self
            .hosts
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(host))
        {
            *count += 1;
        } else if self.hosts.len() < HOSTS {
            self.hosts.push((host.to_ascii_lowercase().into(), 1));
        } else {
            self.hosts
                .iter_mut()
                .for_each(|(_, count)| *count = count.saturating_sub(1));
            self.hosts.retain(|(_, count)| *count > 0);
        }
    }

    /// Counts what another has counted. The sums are bounded as the counts are: the smallest of both are taken from all.
    pub(super) fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        for (host, count) in &other.hosts {
            match self.hosts.iter_mut().find(|(known, _)| known == host) {
                Some((_, sum)) => *sum = sum.saturating_add(*count),
                None => self.hosts.push((host.clone(), *count)),
            }
        }
        self.hosts.sort_by_key(|(_, count)| Reverse(*count));
        let least = self.hosts.get(HOSTS).map_or(0, |(_, count)| *count);
        self.hosts.truncate(HOSTS);
        self.hosts.iter_mut().for_each(|(_, count)| *count -= least);
        self.hosts.retain(|(_, count)| *count > 0);
        while self.requests >= MEMORY {
            self.age();
        }
    }

    /// The hosts with their shares of all requests, largest first. What is missing to 1 came directly or from others.
    pub(super) fn top(&self) -> Vec<(Box<str>, f64)> {
        let total = f64::from(self.requests.max(1));
        let mut top: Vec<_> = self
            .hosts
            .iter()
            .map(|(host, count)| (host.clone(), f64::from(*count) / total))
            .collect();
        top.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        top
    }
}

impl Referrers {
    fn age(&mut self) {
        self.requests /= 2;
        self.hosts.iter_mut().for_each(|(_, count)| *count /= 2);
    }
}

/// The host of a Referer, or nothing that could be one.
fn host(referrer: &str) -> Option<&str> {
    let rest = referrer
        .strip_prefix("https://")
        .or_else(|| referrer.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    ((1..=MAX_HOST).contains(&host.len()) && host.bytes().all(sound)).then_some(host)
}

/// Hosts kept: operators ask for the first three.
const HOSTS: usize = 8;
/// Requests after which older ones count half: a crowd's second wave may come from elsewhere.
const MEMORY: u32 = 4096;
/// Longest host name of the DNS.
const MAX_HOST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_all_that_is_kept() {
        assert_eq!(host("https://t.co/62T7L3E9BB"), Some("t.co"));
        assert_eq!(
            host("http://user:secret@news.example:8080/a?b#c"),
            Some("news.example")
        );
        for nothing in [
            "",
            "-",
            "about:blank",
            "https://",
            "https://a b/",
            "https:///x",
            "https://<script>",
        ] {
            assert_eq!(host(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_largest_survive_a_flood_of_invented_hosts() {
        let mut referrers = Referrers::default();
        for number in 0..10_000 {
            referrers.add(Some("https://T.co/x"));
            referrers.add(None);
            referrers.add(Some(&format!("https://h{number}.example/")));
        }
        // What several counted is as good as what one did.
        let mut parts: [Referrers; 3] = Default::default();
        for number in 0..3_000 {
            let part = &mut parts[number % 3];
            part.add(Some("https://t.co/x"));
            part.add(Some(&format!("https://h{number}.example/")));
        }
        let mut sum = Referrers::default();
        parts.iter().for_each(|part| sum.merge(part));
        let together = sum.top();
        assert!(together.len() <= HOSTS && sum.requests < MEMORY);
        assert_eq!(&*together[0].0, "t.co");
        assert!((0.3..=0.51).contains(&together[0].1), "{together:?}");
        let top = referrers.top();
        assert!(top.len() <= HOSTS);
        assert_eq!(&*top[0].0, "t.co");
        assert!((0.2..=0.34).contains(&top[0].1), "{top:?}");
    }
}
