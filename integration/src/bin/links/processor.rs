//! Processor time: whether a run was held up by the machine, and not by its links.

use std::time::Duration;

use anyhow::Context;

/// How busy the machine was, between two looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    busy: u64,
    all: u64,
}

impl Machine {
    pub(crate) fn look() -> anyhow::Result<Self> {
        let table = std::fs::read_to_string("/proc/stat")?;
        let line = table.lines().next().context("/proc/stat is empty")?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .filter_map(|ticks| ticks.parse().ok())
            .collect();
        let all = ticks.iter().take(STATES).sum();
        let rest: u64 = ticks.iter().skip(IDLE).take(2).sum();
        Ok(Self {
            busy: all - rest,
            all,
        })
    }

    /// The share of its processors that has been at work since, whoever's.
    pub(crate) fn busy_since(&self, before: Self) -> f64 {
        (self.busy - before.busy) as f64 / (self.all - before.all).max(1) as f64
    }
}

/// Processor time that a process has had.
pub(crate) fn of(process: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Its name, in brackets, may contain anything.
    let (_, fields) = stat.rsplit_once(')').context("/proc has no name for a process")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(USER)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// How long the threads of this process that are there now have waited for a processor, all together.
pub(crate) fn waited() -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        // A thread may have ended meanwhile.
        let schedule = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let waited = schedule
            .split(' ')
            .nth(1)
            .and_then(|waited| waited.parse::<u64>().ok());
        nanoseconds += waited.unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The columns of idle and of waiting for disks, and those before what guests have, which is counted twice.
const IDLE: usize = 3;
const STATES: usize = 8;
/// Fields of /proc/PID/stat between the name and the time in user mode; that in the kernel follows. Linux tells both in
/// hundredths of a second.
const USER: usize = 11;
