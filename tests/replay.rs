//! `flashback replay` through the binary, on logs that the tests write: whatever form they come in, the same crowd is found.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

/// A folder of logs, gone with the test.
struct Logs(PathBuf);

impl Logs {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("flashback-replay-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn replay(arguments: &[&str], logs: &[&Path], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flashback"))
        .arg("replay")
        .args(arguments)
        .args(logs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A child that reads no input closes the pipe.
    let _ = writer.join().unwrap();
    output
}

fn json(arguments: &[&str], logs: &[&Path]) -> Value {
    let output = replay(&[&["--json"], arguments].concat(), logs, b"");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "",
        "no bar where nobody watches"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A Combined line at a second of 10 October 2000.
fn line(second: u32, client: u32, path: &str, referrer: &str) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "10.0.{}.{} - - [10/Oct/2000:{hour:02}:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 5120 \
         \"{referrer}\" \"Mozilla/5.0\"\n",
        client / 250,
        client % 250
    )
}

/// Half an hour: a request a second on a dozen pages, and from minute 5 on, for two minutes, 20 visitors a second on one,
/// each of whom loads its two pictures.
fn crowd() -> Vec<String> {
    let mut lines = Vec::new();
    for second in 0..1_800 {
        lines.push(line(second, second % 97, &format!("/page/{}", second % 12), "-"));
        if (300..420).contains(&second) {
            for visitor in 0..20 {
                let client = (second - 300) * 20 + visitor;
                lines.push(line(second, client, "/news", "https://social.example/post"));
                for picture in ["/a.jpg", "/b.jpg"] {
                    lines.push(line(second, client, picture, "https://site.example/news"));
                }
            }
        }
    }
    lines
}

/// The one crowd on `/news`, its pictures' aside.
fn news(found: &Value) -> &Value {
    let crowds = found["crowds"].as_array().unwrap();
    let mut news = crowds.iter().filter(|crowd| crowd["key"] == "/news");
    let crowd = news
        .next()
        .unwrap_or_else(|| panic!("no crowd on /news: {found}"));
    assert!(news.next().is_none(), "{found}");
    crowd
}

/// Everything but what differs from run to run.
fn steady(mut found: Value) -> Value {
    found["totals"]["wall_s"].take();
    found
}

#[test]
fn a_crowd_is_told_as_design_md_has_it() {
    let logs = Logs::new("shape");
    let found = json(&[], &[&logs.write("access.log", crowd().concat())]);
    let crowd = news(&found);
    assert!(
        ["2000-10-10T00:04:59Z", "2000-10-10T00:05:00Z"].contains(&crowd["started"].as_str().unwrap()),
        "{crowd}"
    );
    assert!(crowd["delay_s"].as_f64().unwrap() <= 5.0, "{crowd}");
    assert!(
        crowd["detected"].as_str().unwrap() < "2000-10-10T00:05:06Z",
        "{crowd}"
    );
    assert!(
        crowd["ended"].is_string(),
        "calm a quarter of an hour after it cooled: {crowd}"
    );
    assert_eq!(crowd["rule"], "surge");
    assert_eq!(crowd["scale_s"], 1.0);
    assert!(
        (15.0..=25.0).contains(&crowd["peak_rate"].as_f64().unwrap()),
        "{crowd}"
    );
    assert!(
        crowd["average"].as_f64().unwrap() < 0.1 && crowd["audience"].as_f64().unwrap() > 0.9,
        "{crowd}"
    );
    assert_eq!(crowd["referrers"][0]["host"], "social.example");
    let (requests, after) = (
        crowd["requests"].as_u64().unwrap(),
        crowd["requests_after"].as_u64().unwrap(),
    );
    assert!(
        after < requests && after > 2_200 && requests <= 2_400,
        "{requests} {after}"
    );
    assert_eq!(crowd["objects"], 3, "the page and its two pictures");
    let (greedy, shared) = (&crowd["saved"]["greedy"], &crowd["saved"]["cooperative"]);
    assert!(
        greedy.as_f64().unwrap() < 0.05 && shared.as_f64().unwrap() > 0.99,
        "{crowd}"
    );
    let totals = &found["totals"];
    assert_eq!(
        (&totals["lines"], &totals["bad_lines"]),
        (&Value::from(9_000), &Value::from(0))
    );
    assert_eq!(totals["keys"], 15);
    let shares: Vec<f64> = totals["under_provisioned"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["share"].as_f64().unwrap())
        .collect();
    assert!(
        shares.len() == 3 && shares.is_sorted() && shares[2] == 1.0,
        "{totals}"
    );
}

#[test]
fn plain_gzip_zstd_and_standard_input_are_one() {
    let logs = Logs::new("forms");
    let text = crowd().concat();
    let plain = logs.write("access.log", &text);
    let mut zipped = Vec::new();
    // Two members: rotated logs are appended to each other.
    for half in [&text[..300_000], &text[300_000..]] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(half.as_bytes()).unwrap();
        zipped.extend(encoder.finish().unwrap());
    }
    let zipped = logs.write("access.log.1.gz", zipped);
    // A frame that is to be skipped, and two frames of text.
    let mut frames = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3].to_vec();
    for half in [&text[..500_001], &text[500_001..]] {
        frames.extend(ruzstd::encoding::compress_to_vec(
            half.as_bytes(),
            ruzstd::encoding::CompressionLevel::Fastest,
        ));
    }
    let frames = logs.write("no-name", frames);
    let expected = steady(json(&[], &[&plain]));
    assert_eq!(steady(json(&[], &[&zipped])), expected);
    assert_eq!(steady(json(&[], &[&frames])), expected);
    let piped = replay(&["--json"], &[Path::new("-")], text.as_bytes());
    assert_eq!(steady(serde_json::from_slice(&piped.stdout).unwrap()), expected);
}

#[test]
fn many_logs_are_one_whatever_their_names_and_however_they_overlap() {
    let logs = Logs::new("many");
    let lines = crowd();
    let expected = steady(json(&[], &[&logs.write("whole.log", lines.concat())]));
    // Rotated: the newest has the first name.
    let (old, new) = lines.split_at(4_000);
    let rotated = [
        logs.write("access.log", new.concat()),
        logs.write("access.log.1", old.concat()),
    ];
    let rotated: Vec<&Path> = rotated.iter().map(PathBuf::as_path).collect();
    assert_eq!(steady(json(&[], &rotated)), expected);
    // Two servers, who share the visitors.
    let server = |which: usize| {
        let own: Vec<_> = lines.iter().skip(which).step_by(2).cloned().collect();
        logs.write(&format!("web{which}.log"), own.concat())
    };
    let balanced = json(&[], &[&server(0), &server(1)]);
    assert_eq!(news(&balanced)["detected"], news(&expected)["detected"]);
    assert_eq!(balanced["totals"]["lines"], expected["totals"]["lines"]);
    assert_eq!(balanced["totals"]["late_lines"], 0);
}

#[test]
fn lines_up_to_a_minute_late_change_nothing() {
    let logs = Logs::new("late");
    let mut lines = crowd();
    let expected = json(&[], &[&logs.write("in-order.log", lines.concat())]);
    // Each minute's lines are turned round, as if the longest answers were the first asked for.
    let minute = |line: &String| line.split(':').nth(2).map(str::to_owned);
    for block in lines.chunk_by_mut(|a, b| minute(a) == minute(b)) {
        block.reverse();
    }
    let found = json(&[], &[&logs.write("late.log", lines.concat())]);
    assert_eq!(found["totals"]["late_lines"], 0);
    assert_eq!(news(&found)["started"], news(&expected)["started"]);
    let delay = |found: &Value| news(found)["delay_s"].as_f64().unwrap();
    assert!((delay(&found) - delay(&expected)).abs() <= 1.0);
}

#[test]
fn broken_lines_are_counted_and_named() {
    let logs = Logs::new("broken");
    let mut lines = crowd();
    lines.insert(3, "\n".to_owned());
    lines.insert(10, "not a line\n".to_owned());
    lines.insert(20, line(7, 1, "/x", "-").replace("GET /x HTTP/1.1", "\\x16\\x03"));
    lines.insert(30, format!("{}\n", "x".repeat(100_000)));
    lines.insert(40, line(7, 1, "/x", "-").replace("/Oct/", "/Okt/"));
    let mut text = lines.concat().into_bytes();
    text.extend(b"\xFF\xFE no line end");
    let path = logs.write("access.log", &text);
    let found = json(&[], &[&path]);
    assert_eq!(found["totals"]["bad_lines"], 5);
    assert_eq!(found["totals"]["lines"], 9_006);
    let mut bad: Vec<(u64, &str)> = found["bad_lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| (bad["line"].as_u64().unwrap(), bad["fault"].as_str().unwrap()))
        .collect();
    bad.sort_unstable();
    let form = "not of the Common or Combined form";
    assert_eq!(
        bad,
        [
            (11, form),
            (21, "no HTTP request"),
            (31, "longer than 65536 bytes"),
            (41, "no such time"),
            (9_006, form)
        ]
    );
    assert_eq!(found["bad_lines"][0]["log"], path.to_str().unwrap());
    news(&found);
    let table = String::from_utf8(replay(&[], &[&path], b"").stdout).unwrap();
    assert!(
        table.contains("9006 lines, 5 bad") && table.contains("access.log, line 11: not of the Common"),
        "{table}"
    );
}

#[test]
fn what_was_read_of_a_log_that_breaks_off_is_told() {
    let logs = Logs::new("cut");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(crowd().concat().as_bytes()).unwrap();
    let mut zipped = encoder.finish().unwrap();
    zipped.truncate(zipped.len() - 2_000);
    let output = replay(&["--json"], &[&logs.write("cut.gz", zipped)], b"");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("cut.gz breaks off after line "), "{told}");
    news(&serde_json::from_slice(&output.stdout).unwrap());
}

#[test]
fn settings_are_flags() {
    let logs = Logs::new("flags");
    let path = logs.write("access.log", crowd().concat());
    let keys = |arguments: &[&str]| json(arguments, &[&path])["crowds"].as_array().unwrap().len();
    assert!(keys(&[]) > 0);
    assert_eq!(keys(&["--min-rate", "50"]), 0);
    assert_eq!(keys(&["--reading", "strict", "--doublings", "3"]), 0);
    let slow = json(&["--scales", "1m"], &[&path]);
    assert_eq!(news(&slow)["scale_s"], 60.0);
    for (wrong, named) in [
        (["--ratio", "0"], "crowd.ratio = 0"),
        (["--scales", "2s,3s"], "[2s, 3s]"),
        (["--site-scales", "2m,3m"], "crowd.site.scales"),
        (["--site-ratio", "0"], "crowd.site.ratio = 0"),
    ] {
        let output = replay(&wrong, &[&path], b"");
        assert_eq!(output.status.code(), Some(2));
        assert!(
            String::from_utf8(output.stderr).unwrap().contains(named),
            "{wrong:?}"
        );
    }
    let output = replay(&[], &[Path::new("/no/such/log")], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("/no/such/log cannot be read")
    );
}

#[test]
fn one_script_and_no_crowd_is_said_to_be_none() {
    let logs = Logs::new("script");
    let lines: Vec<_> = (0..6_000)
        .map(|number| line(60 + number / 50, 1, "/search", "-"))
        .collect();
    let path = logs.write("access.log", lines.concat());
    let table = String::from_utf8(replay(&[], &[&path], b"").stdout).unwrap();
    assert!(table.starts_with("no crowd found\n"), "{table}");
    assert_eq!(json(&[], &[&path])["crowds"], Value::Array(Vec::new()));
}

#[test]
fn the_picture_is_an_svg_with_the_crowd_in_it() {
    let logs = Logs::new("plot");
    let (path, picture) = (
        logs.write("access.log", crowd().concat()),
        logs.0.join("crowds.svg"),
    );
    let output = replay(&["--plot", picture.to_str().unwrap()], &[&path], b"");
    assert!(output.status.success(), "{output:?}");
    let svg = fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("/news") && svg.contains("polyline"), "{svg}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_of_any_size_is_read_in_constant_memory() {
    let logs = Logs::new("memory");
    // Busy enough to measure, and the same twice as long.
    let grown = |minutes: u32| {
        let mut text = String::new();
        for second in 0..minutes * 60 {
            for number in 0..200 {
                write!(
                    text,
                    "{}",
                    line(
                        second,
                        (second * 7 + number) % 5_000,
                        &format!("/{}", number % 50),
                        "-"
                    )
                )
                .unwrap();
            }
        }
        let path = logs.write("long.log", text);
        peak(&path)
    };
    let (short, long) = (grown(3), grown(9));
    assert!(
        long < short + 16 * 1024,
        "{short} KiB for 3 minutes, {long} KiB for 9"
    );
}

/// The most memory that the binary takes for a log, in KiB.
#[cfg(target_os = "linux")]
fn peak(path: &Path) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flashback"))
        .args(["replay", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&fs::read(path).unwrap()).unwrap();
    // All but what the pipe holds is read, and the child still waits for more.
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let high = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    high.split_whitespace().next().unwrap().parse().unwrap()
}
