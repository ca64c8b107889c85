//! A receiver of flashback's webhook: it takes nothing that is not signed, nothing old and nothing twice, and prints what
//! an autoscaler would do. Put your own call in the place of `println!`.
//!
//! ```text
//! echo whsec_$(head -c 32 /dev/urandom | base64) > secret
//! cargo run -p hook-receiver -- secret 127.0.0.1:9000
//! ```

use std::{
    collections::{HashSet, VecDeque},
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(secret), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: hook-receiver SECRET_FILE ADDRESS".into());
    };
    let secret = fs::read_to_string(secret)?;
    let key = secret
        .trim()
        .strip_prefix("whsec_")
        .ok_or("the secret does not begin with whsec_")?;
    let hook = Arc::new(Hook {
        key: STANDARD.decode(key)?,
        seen: Mutex::default(),
    });
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening http://{}", listener.local_addr()?);
    axum::serve(listener, app(hook)).await?;
    Ok(())
}

fn app(hook: Arc<Hook>) -> Router {
    Router::new().route("/", post(receive)).with_state(hook)
}

/// What is known of the sender, and what it has sent.
struct Hook {
    key: Vec<u8>,
    seen: Mutex<Seen>,
}

/// The names of the last notices. One that was answered too late comes again.
#[derive(Default)]
struct Seen {
    names: HashSet<String>,
    order: VecDeque<String>,
}

async fn receive(State(hook): State<Arc<Hook>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let Some(name) = hook.verified(&headers, &body, now) else {
        return StatusCode::UNAUTHORIZED;
    };
    if hook.is_new(&name)
        && let Ok(notice) = serde_json::from_slice::<Value>(&body)
    {
        act(&notice);
    }
    // Known or new, it need not come again.
    StatusCode::NO_CONTENT
}

/// Here an autoscaler is called. The site as a whole is the key `*`.
fn act(notice: &Value) {
    let (kind, crowd) = (&notice["type"], &notice["data"]);
    let deed = match kind.as_str() {
        Some("crowd.hot") => "start servers",
        Some("crowd.calm") => "stop them",
        // Cooling: a second wave is likely within the quarter of an hour.
        _ => "keep what there is",
    };
    println!("{} {} at {}/s: {deed}", crowd["key"], crowd["to"], crowd["rate"]);
}

impl Hook {
    /// The notice's name, if the sender knows the secret and signed it just now.
    fn verified(&self, headers: &HeaderMap, body: &[u8], now: u64) -> Option<String> {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let (name, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
        // Who recorded a request cannot send it again later.
        if timestamp.parse::<u64>().ok()?.abs_diff(now) > TOLERANCE {
            return None;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(format!("{name}.{timestamp}.").as_bytes());
        mac.update(body);
        // While a secret is being replaced there may be two signatures.
        let signatures = header("webhook-signature")?.split(' ');
        signatures
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            // Compared in constant time: a guess learns nothing from how long its refusal takes.
            .any(|signature| mac.clone().verify_slice(&signature).is_ok())
            .then(|| name.to_owned())
    }

    fn is_new(&self, name: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.names.insert(name.to_owned()) {
            return false;
        }
        seen.order.push_back(name.to_owned());
        if seen.order.len() > REMEMBERED
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.names.remove(&oldest);
        }
        true
    }
}

/// Seconds that clocks may differ, as Standard Webhooks has it.
const TOLERANCE: u64 = 300;
/// Names remembered: many more than come within the tolerance.
const REMEMBERED: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn hook() -> Hook {
        Hook {
            key: STANDARD
                .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
                .expect("is base64"),
            seen: Mutex::default(),
        }
    }

    /// The example of the specification's own libraries.
    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ] {
            headers.insert(name, value.parse().expect("is a value"));
        }
        headers
    }

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn only_what_was_signed_just_now_is_taken() {
        let hook = hook();
        let taken =
            |signature: &str, body: &[u8], now: u64| hook.verified(&headers(signature), body, now).is_some();
        assert!(taken(GOOD, BODY, 1_614_265_330 + 299));
        assert!(
            taken(&format!("v1,aGVsbG8= {GOOD}"), BODY, 1_614_265_330),
            "one of two"
        );
        assert!(!taken(GOOD, BODY, 1_614_265_330 + 301), "a recording");
        assert!(!taken(GOOD, b"{}", 1_614_265_330));
        assert!(!taken("v1,aGVsbG8=", BODY, 1_614_265_330));
        assert!(!taken("", BODY, 1_614_265_330));
        assert!(hook.verified(&HeaderMap::new(), BODY, 1_614_265_330).is_none());
    }

    #[test]
    fn a_notice_counts_once() {
        let hook = hook();
        assert!(hook.is_new("a") && hook.is_new("b") && !hook.is_new("a"));
        (0..2 * REMEMBERED).for_each(|number| assert!(hook.is_new(&number.to_string())));
        assert!(hook.seen.lock().expect("is whole").names.len() <= REMEMBERED);
    }
}
