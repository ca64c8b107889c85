//! What the detector keeps over a restart, and what it makes of it afterwards.

use super::{Crowds, lock};
use crate::crowd::{Memory, Time};

impl Crowds {
    /// What is worth keeping over a restart.
    pub fn memory(&self, now: Time) -> Memory {
        let now = self.clock.moment(&self.plan, now);
        let mut pages = Vec::new();
        for shard in &self.shards {
            lock(shard).each(|page| {
                if page.track.key.is_whole() {
                    pages.push((page.track.key.to_string(), page.mean(&self.plan, now)));
                }
            });
        }
        let newest = self.plan.grid.half(self.plan.grid.longest(), now.epoch);
        let seconds = self.plan.past.known(newest, now.seconds());
        Memory::new(seconds, self.site.mean(now.at), pages)
    }

    pub(super) fn recall(&self, memory: &Memory) {
        self.site.remember(memory.site);
        let start = self.plan.grid.moment(Time::ZERO);
        for (text, mean) in &memory.pages {
            let (host, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
            let (path, query) = rest
                .split_once('?')
                .map_or((rest, None), |(path, query)| (path, Some(query)));
            let name = self.plan.naming.page(host, path, query);
            let mut shard = lock(self.shard(name));
            let key = || self.plan.naming.key(name, host, path, query);
            if let Some(mut page) = shard.admit(&self.plan, start, name, key) {
                page.remember(&self.plan, *mean);
            }
        }
    }
}
