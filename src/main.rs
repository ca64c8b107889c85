//! The binary `flashback`: the library with a command line. See `flashback --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
