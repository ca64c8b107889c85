//! Where traces go: standard error, for people or for machines.

use std::{
    env,
    io::{self, IsTerminal},
};

use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// How much is logged, and in which form.
#[derive(Args, Debug)]
pub(super) struct Log {
    /// Form of the log on standard error.
    #[arg(long = "log", value_enum, default_value_t = Form::Text, global = true)]
    form: Form,
    /// Log more: -v for decisions, -vv for every connection. RUST_LOG overrules it.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Lines for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// From here on traces are written.
pub(super) fn install(arguments: &Log) {
    let mut filter = EnvFilter::builder()
        .with_default_directive(level(arguments.verbose).into())
        .from_env_lossy();
    if arguments.verbose < 2 && env::var_os(EnvFilter::DEFAULT_ENV).is_none() {
        // The library of native visitors tells of every connection, and takes what strangers send for its own errors.
        let quiet = ["rtc=off", "webrtc=off"]
            .iter()
            .flat_map(|directive| directive.parse());
        filter = quiet.fold(filter, EnvFilter::add_directive);
    }
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter);
    match arguments.form {
        Form::Text => builder.init(),
        Form::Json => builder.json().init(),
    }
}

const fn level(verbose: u8) -> LevelFilter {
    match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}
