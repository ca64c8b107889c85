//! A network namespace with a thread in it. It has no name, so nothing is left of it when the thread ends, however the
//! program ends.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use anyhow::{Context, bail};
use nix::sched::{CloneFlags, unshare};

/// The handle of a namespace. Once it is dropped, the thread ends with its last job, and the namespace with it.
#[derive(Debug)]
pub(crate) struct Place {
    jobs: mpsc::Sender<Job>,
    thread: u32,
}

type Job = Box<dyn FnOnce() + Send>;

/// What a job comes to.
#[derive(Debug)]
pub(crate) struct Promise<T>(mpsc::Receiver<T>);

impl Place {
    /// A namespace with nothing in it but a loopback device that is down.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (opened, open) = mpsc::channel();
        thread::spawn(move || {
            let thread = enter();
            let entered = thread.is_ok();
            let _ = opened.send(thread);
            if entered {
                queue.into_iter().for_each(|job| job());
            }
        });
        let thread = open.recv().context("a thread ended before it began")??;
        Ok(Self { jobs, thread })
    }

    /// The thread, by which the kernel finds the namespace.
    pub(crate) const fn thread(&self) -> u32 {
        self.thread
    }

    /// Runs a job in the namespace, after those before it. What it spawns, threads and processes, is there as well.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Promise<T> {
        let (done, result) = mpsc::channel();
        // Fails only if a job panicked, which its promise tells.
        let _ = self.jobs.send(Box::new(move || drop(done.send(job()))));
        Promise(result)
    }

    /// Runs `ip`, `tc` or the like on a batch of commands, and waits for it.
    pub(crate) fn batch(&self, program: &'static str, commands: Vec<String>) -> anyhow::Result<()> {
        self.run(move || batch(program, &commands)).wait()?
    }
}

impl<T> Promise<T> {
    pub(crate) fn wait(self) -> anyhow::Result<T> {
        self.0.recv().context("a job in a namespace panicked")
    }
}

fn enter() -> anyhow::Result<u32> {
    unshare(CloneFlags::CLONE_NEWNET)
        .context("cannot make a network namespace: this needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN")?;
    // Router and neighbour solicitations of IPv6 are nobody's traffic here. A kernel without IPv6 has no such file.
    for scope in ["all", "default"] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
    }
    let own = std::fs::read_link("/proc/thread-self")?;
    let number = own.file_name().and_then(|name| name.to_str()?.parse().ok());
    number.context("/proc/thread-self names no thread")
}

fn batch(program: &str, commands: &[String]) -> anyhow::Result<()> {
    let mut process = Command::new(program)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run '{program}', which Debian has in iproute2"))?;
    if let Some(mut input) = process.stdin.take() {
        // A program that gives up early says why.
        let _ = input.write_all(commands.join("\n").as_bytes());
    }
    let output = process.wait_with_output()?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
