//! The signals that end the process: the first asks for a drain, the second ends it at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for `SIGINT` (a terminal) and `SIGTERM` (a supervisor).
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on neither signal ends the process by itself.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The name of the next signal.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
