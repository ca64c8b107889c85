//! This binary, started again as a server: what is measured then has a process, and so a memory, of its own.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child as Process, Command},
};

/// A running server; ends when this is dropped.
#[derive(Debug)]
pub struct Child {
    process: Process,
    /// Where it listens, as it said itself, in its order.
    pub addresses: Vec<SocketAddr>,
}

impl Child {
    /// Starts this binary with `arguments` and waits for as many lines with addresses as it serves `sites`.
    ///
    /// # Errors
    /// When it does not start, or says something else.
    pub async fn start(arguments: &[&str], sites: usize) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().context("standard output is a pipe")?;
        let (mut lines, mut addresses) = (BufReader::new(output).lines(), Vec::new());
        while addresses.len() < sites {
            let line = lines
                .next_line()
                .await?
                .with_context(|| format!("the server {arguments:?} ended at once"))?;
            let address = line.parse().with_context(|| format!("'{line}' is no address"))?;
            addresses.push(address);
        }
        Ok(Self { process, addresses })
    }

    /// Bytes of its memory that are resident now, as the kernel counts them.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let process = self.process.id().context("the server has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }

    /// Time that its threads have had a processor so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn processor(&self) -> anyhow::Result<Duration> {
        let process = self.process.id().context("the server has ended")?;
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
            let schedule = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let ran = schedule.split(' ').next().context("schedstat is empty")?;
            nanoseconds += ran.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}
