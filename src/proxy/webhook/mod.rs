//! Tells another program of every crowd: each change of state as a signed `POST`, in order, repeated until it is taken or
//! has become old. An autoscaler that listens spins up servers while the crowd is still coming (`docs/hooks.md`).
//!
//! Requests are those of [Standard Webhooks](https://www.standardwebhooks.com/), so that receivers can verify them with
//! the libraries that exist:
//!
//! ```text
//! POST /your/path
//! content-type: application/json
//! webhook-id: msg_6f1e…              the same in every repetition
//! webhook-timestamp: 1700000000      seconds since 1970, of this attempt
//! webhook-signature: v1,K5oZfzN9…    base64 of HMAC-SHA256(secret, "{id}.{timestamp}.{body}")
//!
//! {"type":"crowd.hot","timestamp":"2023-11-14T22:13:20.123Z","data":{"key":"example.org/a","from":"calm","to":"hot",…}}
//! ```
//!
//! `data` is an [`Event`], as `/events` streams it.

mod delivery;
mod queue;
mod secret;
mod settings;

use std::time::Duration;

use tokio::{
    sync::broadcast::{self, error::RecvError},
    task::JoinHandle,
};

pub use secret::{Secret, SecretError};
pub use settings::{WebhookSettings, WebhookUrl};

use self::{
    delivery::{Delivery, Notice},
    queue::Queue,
};
use super::ConfigError;
use crate::telemetry::Event;

/// The hook at work; it ends when it is dropped.
#[derive(Debug)]
pub struct Webhook(JoinHandle<()>);

impl Webhook {
    /// Begins to tell of these events, if the settings name a receiver. It needs a Tokio runtime.
    ///
    /// # Errors
    /// The secret cannot be read.
    pub fn start(
        settings: &WebhookSettings,
        events: broadcast::Receiver<Event>,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(url) = &settings.url else {
            return Ok(None);
        };
        let secret = settings.secret()?;
        let delivery = Delivery::new(url, secret, settings);
        let queue = Queue::new(settings.waiting);
        Ok(Some(Self(tokio::spawn(run(delivery, queue, events)))))
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One notice after the other, and meanwhile those that come wait.
async fn run(delivery: Delivery, mut queue: Queue, mut events: broadcast::Receiver<Event>) {
    let mut open = true;
    while open || !queue.is_empty() {
        let Some(notice) = queue.next() else {
            open = take(&mut queue, events.recv().await);
            continue;
        };
        let attempts = delivery.deliver(&notice);
        tokio::pin!(attempts);
        loop {
            tokio::select! {
                delivered = &mut attempts => {
                    if !delivered {
                        queue.lose(1);
                    }
                    break;
                }
                event = events.recv(), if open => open = take(&mut queue, event),
            }
        }
    }
}

/// False when no event will come any more.
fn take(queue: &mut Queue, event: Result<Event, RecvError>) -> bool {
    match event {
        Ok(event) => queue.push(Notice::of(&event)),
        Err(RecvError::Lagged(missed)) => queue.lose(missed),
        Err(RecvError::Closed) => return false,
    }
    true
}

/// How long to wait after so many failures: doubling from a second to a minute, so that a receiver that restarts is soon
/// told, and one that is down for long is not hammered.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(LONGEST)
}

const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<u64> = (1..10).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
