//! The command line: one file per subcommand, and what they share. Results go to standard output, logs and complaints to
//! standard error.
//!
//! | file | what |
//! |---|---|
//! | `proxy`, `demo`, `rehearse`, `replay`, `simulate` | the subcommands: their flags, and `run` |
//! | `spectacle` | the crowd of `demo` |
//! | `serve` | listeners, the lines that name them, drain |
//! | `failure` | exit codes: 1 for the world's faults, 2 for the operator's |
//! | `picture` | the file that `--plot` names |
//! | `log`, `recorder` | where traces and metrics go |

mod demo;
mod failure;
mod log;
mod picture;
mod proxy;
mod recorder;
mod rehearse;
mod replay;
mod serve;
mod simulate;
mod spectacle;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Crowd insurance for web sites: when a flash crowd comes, the visitors' browsers carry the page to each other.
#[derive(Debug, Parser)]
#[command(name = "flashback", version, about, max_term_width = 110)]
struct Arguments {
    #[command(flatten)]
    log: log::Log,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Proxy(proxy::Proxy),
    Rehearse(rehearse::Rehearse),
    Replay(replay::Replay),
    Simulate(simulate::Simulate),
}

impl Command {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Demo(arguments) => demo::run(arguments).await,
            Self::Proxy(arguments) => proxy::run(arguments).await,
            Self::Rehearse(arguments) => rehearse::run(arguments).await,
            Self::Replay(arguments) => replay::run(arguments),
            Self::Simulate(arguments) => simulate::run(&arguments),
        }
    }
}

/// Reads the command line and obeys it.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    log::install(&arguments.log);
    match obey(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

fn obey(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(command.run());
    // What still runs was given its time in the drain; tunnels may go on for ever.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
