//! What receiver and sender share, and the signature made with it. It is never printed.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key for signatures, written `whsec_` and base64.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The signature of one attempt, as the header has it.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any key will do");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let text = text.trim().strip_prefix("whsec_").ok_or(SecretError::Prefix)?;
        let key = STANDARD.decode(text).map_err(|_| SecretError::Base64)?;
        if !(LEAST..=MOST).contains(&key.len()) {
            return Err(SecretError::Length(key.len()));
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why a text is no secret; what the text was is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Something else, perhaps a file with another purpose.
    #[error("does not begin with 'whsec_'; make one: echo whsec_$(head -c 32 /dev/urandom | base64)")]
    Prefix,
    /// Cut off, or mistyped.
    #[error("is not base64 after 'whsec_'")]
    Base64,
    /// Guessable, or no key.
    #[error("has {0} bytes, not {LEAST} to {MOST}")]
    Length(usize),
}

/// Lengths that Standard Webhooks allows.
const LEAST: usize = 24;
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn it_signs_as_the_standard_does() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
            .parse()
            .expect("is a secret");
        let signature = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_none_is_not_repeated() {
        let fault = |text: &str| text.parse::<Secret>().expect_err("is refused");
        assert_eq!(fault("hunter2"), SecretError::Prefix);
        assert_eq!(fault("whsec_hunter2!"), SecretError::Base64);
        assert_eq!(fault("whsec_aGVsbG8="), SecretError::Length(5));
        assert!(!fault("hunter2").to_string().contains("hunter2"));
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"
            .parse()
            .expect("a line end does no harm");
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
