//! How fast `flashback replay` reads a log, beside `wc -l`, `zcat | wc -l` and, where it is installed, goaccess.
//!
//! ```text
//! cargo build --release --features cli --bin flashback
//! cargo run --release -p integration --bin replay [-- LINES]
//! ```
//!
//! A generated Combined log with a crowd in it, plain and compressed. Each command's processor time is counted, user and
//! system, so that a machine that others use, too, shows the same figures; `replay` runs on one thread.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, ensure};
use flate2::{Compression, write::GzEncoder};
use integration::verdict;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

fn main() -> anyhow::Result<ExitCode> {
    let lines: u64 = match std::env::args().nth(1) {
        Some(lines) => lines.parse().context("LINES is a number")?,
        None => LINES,
    };
    let folder = Folder(std::env::temp_dir().join(format!("flashback-replay-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0)?;
    let (plain, zipped) = (folder.0.join("access.log"), folder.0.join("access.log.gz"));
    generate(lines, &plain, &zipped)?;
    println!(
        "{lines} lines, {} MB, compressed {} MB",
        size(&plain)?,
        size(&zipped)?
    );

    let flashback = std::env::current_exe()?.with_file_name("flashback");
    ensure!(flashback.exists(), "{} is not built", flashback.display());
    let (flashback, plain, zipped) = (flashback.display(), plain.display(), zipped.display());
    let goaccess = |log: String| {
        format!(
            "{log} | goaccess - --log-format=COMBINED --no-global-config --no-progress -o {}/report.json",
            folder.0.display()
        )
    };
    println!("{:<34} {:>14} {:>10}", "command", "lines/CPU s", "wall s");
    let mut replay = 0.0;
    for (name, command) in [
        ("wc -l", format!("wc -l {plain}")),
        ("flashback replay", format!("{flashback} replay {plain}")),
        ("zcat | wc -l", format!("zcat {zipped} | wc -l")),
        ("flashback replay, .gz", format!("{flashback} replay {zipped}")),
        ("goaccess", goaccess(format!("cat {plain}"))),
        ("goaccess, .gz", goaccess(format!("zcat {zipped}"))),
    ] {
        match cost(&command) {
            Ok((cpu, wall)) => {
                let rate = lines as f64 / cpu;
                println!("{name:<34} {rate:>14.0} {wall:>10.2}");
                if name == "flashback replay" {
                    replay = rate;
                }
            }
            Err(error) => println!("{name:<34} {error}"),
        }
    }
    Ok(verdict(
        replay >= BUDGET,
        "replay reads at least 1,000,000 lines in a second of one core",
    ))
}

/// A day of a site with a thousand pages, and a crowd in its midst.
fn generate(lines: u64, plain: &Path, zipped: &Path) -> anyhow::Result<()> {
    let mut plain = BufWriter::new(File::create(plain)?);
    let mut zipped = GzEncoder::new(BufWriter::new(File::create(zipped)?), Compression::default());
    let mut random = SmallRng::seed_from_u64(1);
    let mut line = Vec::new();
    for number in 0..lines {
        let second = number * 86_400 / lines;
        let in_crowd = (40_000..43_000).contains(&second) && number % 3 == 0;
        let page = 1000f64.powf(random.random::<f64>()) as u32;
        let path = if in_crowd {
            "/news/today".to_owned()
        } else {
            format!("/section/article-{page}.html?utm_source=feed")
        };
        let [_, a, b, c] = random.random::<u32>().to_be_bytes();
        line.clear();
        writeln!(
            line,
            "10.{a}.{b}.{c} - - [10/Oct/2000:{:02}:{:02}:{:02} +0000] \"GET {path} HTTP/1.1\" 200 {} \"https://social.example/{page}\" \
             \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\"",
            second / 3_600,
            second / 60 % 60,
            second % 60,
            random.random_range(500..50_000),
        )?;
        plain.write_all(&line)?;
        zipped.write_all(&line)?;
    }
    plain.flush()?;
    zipped.finish()?.flush()?;
    Ok(())
}

/// Seconds of processor time and of time that a command takes.
fn cost(command: &str) -> anyhow::Result<(f64, f64)> {
    let script = format!("set -o pipefail; TIMEFORMAT='%R %U %S'; time {{ {command} >/dev/null 2>&1; }}");
    let output = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "is not installed, or failed");
    let text = String::from_utf8(output.stderr)?;
    let times: Vec<f64> = text
        .split_whitespace()
        .filter_map(|time| time.parse().ok())
        .collect();
    let [wall, user, system] = times[..] else {
        anyhow::bail!("bash said '{text}'");
    };
    Ok((user + system, wall))
}

fn size(path: &Path) -> anyhow::Result<u64> {
    Ok(path.metadata()?.len() / 1_000_000)
}

/// Gone with the measurement.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const LINES: u64 = 3_000_000;
const BUDGET: f64 = 1e6;
