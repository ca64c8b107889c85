//! What the detector keeps over a restart, and what it makes of it afterwards.

use super::{Crowds, lock};
use crate::crowd::{Memory, Time, track::Track};

impl Crowds {
    /// What is worth keeping over a restart.
    pub fn memory(&self, now: Time) -> Memory {
        let now = self.clock.moment(&self.plan, now);
        let mean = |track: &Track| track.mean(&self.plan, now);
        let mut pages = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            pages.extend(
                shard
                    .tracks()
                    .filter(|track| track.key.is_whole())
                    .map(|track| (track.key.to_string(), mean(track))),
            );
        }
        let newest = self.plan.grid.half(self.plan.grid.longest(), now.epoch);
        let seconds = self.plan.past.known(newest, now.seconds());
        Memory::new(seconds, mean(&lock(&self.site)), pages)
    }

    pub(super) fn recall(&self, memory: &Memory) {
        lock(&self.site).remember(&self.plan, memory.site);
        let start = self.plan.grid.moment(Time::ZERO);
        for (text, mean) in &memory.pages {
            let (host, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
            let (path, query) = rest
                .split_once('?')
                .map_or((rest, None), |(path, query)| (path, Some(query)));
            let name = self.plan.naming.page(host, path, query);
            let mut shard = lock(self.shard(name));
            if let Some(place) = shard.admit(&self.plan, start, name, || {
                self.plan.naming.key(name, host, path, query)
            }) {
                shard.at(place).remember(&self.plan, *mean);
            }
        }
    }
}
