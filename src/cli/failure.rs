//! Whose fault a failure is, as an exit code.

use std::process::ExitCode;

use tower_flashback::proxy::ConfigError;

/// The operator's fault: a flag or a setting is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Says what failed, in one line where it can, and gives the code: 2 for what the operator can mend in the command or the
/// config, 1 for the rest.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("flashback: {}", text(error));
    ExitCode::from(if is_usage(error) { USAGE } else { FAILURE })
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<Usage>() || error.is::<ConfigError>()
}

/// The causes in one line; a cause that its consequence already quotes is not said again.
fn text(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |mut text, cause| {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
        text
    })
}

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn wrong_settings_are_the_operators_fault_whatever_was_said_about_them() {
        let error = tower_flashback::proxy::Config::parse("sever = 1").expect_err("is no setting");
        assert!(is_usage(&anyhow::Error::new(error)));
        assert!(is_usage(
            &anyhow::Error::new(Usage("no upstream".into())).context("cannot start")
        ));
        assert!(!is_usage(&anyhow!("out of files")));
    }

    #[test]
    fn causes_are_said_once() {
        let io = std::io::Error::other("disk on fire");
        let error = Err::<(), _>(io)
            .context("cannot read 'a': disk on fire")
            .expect_err("failed");
        assert_eq!(
            text(&error.context("cannot start")),
            "cannot start: cannot read 'a': disk on fire"
        );
    }
}
