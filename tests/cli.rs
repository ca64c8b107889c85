//! The binary as a user meets it: what it prints, how it fails, how it ends.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};

fn flashback(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flashback"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ended(arguments: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = flashback(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("ends by itself"), text(stdout), text(stderr))
}

/// A process that serves; killed when the test is over, however it ends.
struct Serving {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut child = flashback(arguments).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The address in the next line, which begins like this.
    fn address(&mut self, begin: &str) -> SocketAddr {
        let line = self.line();
        line.strip_prefix(begin)
            .unwrap_or_else(|| panic!("'{line}' does not begin with '{begin}'"))
            .parse()
            .unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &id])
                .status()
                .unwrap()
                .success()
        );
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    )
}

struct File(PathBuf);

impl File {
    fn with(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("flashback-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (arguments, contains) in [
        (&["--help"][..], "proxy"),
        (&["proxy", "--help"][..], "--upstream"),
        (&["demo", "--help"][..], "--listen"),
        (&["--version"][..], env!("CARGO_PKG_VERSION")),
    ] {
        let (code, out, err) = ended(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        assert!(out.contains(contains), "{out}");
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error_that_names_it() {
    for (arguments, named) in [
        (&[][..], "Usage"),
        (&["prox"][..], "'prox'"),
        (&["proxy", "--upsteam", "http://a"][..], "'--upsteam'"),
        (&["proxy", "--upstream", "a"][..], "'a'"),
        (
            &["proxy", "--upstream", "http://a", "--listen", "here"][..],
            "'here'",
        ),
        (&["proxy", "--upstream", "http://a", "--stun", "on"][..], "'on'"),
        (&["proxy"][..], "--upstream"),
        (&["proxy", "--log", "xml"][..], "'xml'"),
    ] {
        let (code, out, err) = ended(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
}

#[test]
fn a_wrong_config_is_a_usage_error_that_names_file_key_and_value() {
    for (text, key, value) in [
        ("[server]\nlisen = 1\n", "lisen", "lisen"),
        ("[server]\nlisten = \"nowhere\"\n", "listen", "nowhere"),
        ("[server]\nconnections = 0\n", "server.connections", "0"),
        ("[origin]\nuplink = \"fast\"\n", "uplink", "fast"),
        ("[sever]\n", "sever", "sever"),
        ("listen", "line 1", "listen"),
    ] {
        let file = File::with(&format!("{key}.toml"), text);
        let (code, out, err) = ended(&["proxy", "--upstream", "http://a", "--config", file.path()]);
        assert_eq!((code, out.as_str()), (2, ""), "{text}: {err}");
        for named in [file.path(), key, value] {
            assert!(err.contains(named), "{text}: {err} does not name {named}");
        }
    }
    let (code, _, err) = ended(&["proxy", "--upstream", "http://a", "--config", "/nowhere/a.toml"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("'/nowhere/a.toml'"), "{err}");
}

#[test]
fn the_printed_config_is_a_config() {
    let (code, printed, err) = ended(&[
        "proxy",
        "--print-config",
        "--upstream",
        "http://a:1",
        "--admin",
        "off",
    ]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        printed.contains("\nupstream = \"http://a:1\"\n") && printed.contains("\nadmin = \"off\"\n"),
        "{printed}"
    );
    let file = File::with("printed.toml", &printed);
    assert_eq!(
        ended(&["proxy", "--print-config", "--config", file.path()]),
        (0, printed, String::new())
    );
}

#[test]
fn a_port_in_use_is_named_with_its_flag() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) = (
        tcp.local_addr().unwrap().to_string(),
        udp.local_addr().unwrap().to_string(),
    );
    for (flag, address, others) in [
        ("--listen", &tcp, ["--admin=127.0.0.1:0", "--stun=127.0.0.1:0"]),
        ("--admin", &tcp, ["--listen=127.0.0.1:0", "--stun=127.0.0.1:0"]),
        ("--stun", &udp, ["--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]),
    ] {
        let (code, out, err) = ended(&[
            "proxy",
            "--upstream",
            "http://127.0.0.1:1",
            flag,
            address,
            others[0],
            others[1],
        ]);
        assert_eq!((code, out.as_str()), (1, ""), "{flag}: {err}");
        assert_eq!(err.trim_end().lines().count(), 1, "{err}");
        assert!(
            err.contains(address.as_str()) && err.contains(flag),
            "{flag}: {err}"
        );
    }
}

/// A site of one page, which answers once it may; the receiver hears of each request.
fn origin() -> (
    SocketAddr,
    std::sync::mpsc::Receiver<()>,
    std::sync::mpsc::Sender<()>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, heard) = std::sync::mpsc::channel();
    let (may, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            while head
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            asked.send(()).unwrap();
            if wait.recv().is_err() {
                return;
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhole")
                .unwrap();
        }
    });
    (address, heard, may)
}

#[test]
fn it_serves_tells_where_and_drains_at_a_signal() {
    let (origin, heard, may) = origin();
    let url = format!("http://{origin}");
    let any = "127.0.0.1:0";
    let mut proxy = Serving::start(&[
        "proxy",
        "--upstream",
        &url,
        "--listen",
        any,
        "--admin",
        any,
        "--stun",
        any,
        "--log",
        "json",
    ]);
    let listening = proxy.address("listening http://");
    let admin = proxy.address("admin http://");
    let stun = proxy.address("stun ");
    assert!([listening, admin, stun].iter().all(|address| address.port() != 0));

    may.send(()).unwrap();
    assert!(get(listening, "/").ends_with("\r\n\r\nwhole"));
    heard.recv().unwrap();
    assert!(get(admin, "/healthz").ends_with("\r\n\r\nok\n"));
    assert!(get(admin, "/status.json").contains("\"crowds\":[]"));
    assert!(get(admin, "/metrics").starts_with("HTTP/1.1 200 "));
    assert!(!get(admin, "/").contains("whole") && get(admin, "/").contains("<!doctype html>"));

    let open = std::thread::spawn(move || get(listening, "/"));
    heard.recv().unwrap();
    proxy.signal("TERM");
    // The listener is closed before the open request is answered.
    while TcpStream::connect(listening).is_ok() {
        std::thread::yield_now();
    }
    may.send(()).unwrap();
    assert!(open.join().unwrap().ends_with("\r\n\r\nwhole"));
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let (origin, heard, _may) = origin();
    let url = format!("http://{origin}");
    let mut proxy = Serving::start(&[
        "proxy",
        "--upstream",
        &url,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "off",
        "--stun",
        "off",
    ]);
    let listening = proxy.address("listening http://");
    let mut open = TcpStream::connect(listening).unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    heard.recv().unwrap();
    proxy.signal("INT");
    while TcpStream::connect(listening).is_ok() {
        std::thread::yield_now();
    }
    proxy.signal("INT");
    assert_eq!(proxy.exit_code(), Some(1));
}

/// What the log says of a page that is made hot, visited, and made calm again.
fn log_of_a_crowd(form: &str) -> Vec<String> {
    let any = "127.0.0.1:0";
    let arguments = [
        "demo", "--listen", any, "--admin", any, "--stun", "off", "--log", form,
    ];
    let mut child = flashback(&arguments).spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let lines = BufReader::new(child.stdout.take().unwrap());
    let mut demo = Serving { child, lines };
    let site = demo.address("listening http://");
    let admin = demo.address("admin http://");
    for mode in ["hot", "calm"] {
        let order = format!("{{\"url\":\"http://{site}/\",\"mode\":\"{mode}\"}}");
        let length = order.len();
        let head = format!("POST /crowd HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {length}");
        let answer = ask(admin, &format!("{head}\r\nConnection: close\r\n\r\n{order}"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        get(site, "/");
    }
    demo.signal("TERM");
    let log: Vec<String> = log.lines().map(Result::unwrap).collect();
    assert_eq!(demo.exit_code(), Some(0));
    log
}

#[test]
fn each_change_of_state_is_one_line_of_the_log() {
    let lines = log_of_a_crowd("json");
    let lines = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"));
    let changes: Vec<_> = lines
        .filter(|line: &serde_json::Value| line["fields"]["message"] == "crowd")
        .map(|line| {
            assert_eq!(line["level"], "INFO", "{line}");
            assert!(line["timestamp"].is_string(), "{line}");
            let field = |name: &str| line["fields"][name].as_str().unwrap().to_owned();
            for figure in ["scale_s", "rate", "average", "audience"] {
                assert!(line["fields"][figure].is_number(), "{figure}: {line}");
            }
            [field("from"), field("to"), field("rule")].join(" ")
        })
        .collect();
    assert_eq!(changes, ["calm hot manual", "hot calm manual"]);

    let lines = log_of_a_crowd("text");
    let changes: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(": crowd key="))
        .collect();
    assert_eq!(changes.len(), 2, "{lines:?}");
    assert!(
        changes[0].contains(" from=\"calm\" to=\"hot\" rule=\"manual\""),
        "{changes:?}"
    );
}

#[test]
fn the_demo_tells_what_to_open_and_serves_it() {
    let any = "127.0.0.1:0";
    let mut demo = Serving::start(&["demo", "--listen", any, "--admin", any, "--stun", any]);
    let listening = demo.address("listening http://");
    let admin = demo.address("admin http://");
    demo.address("stun ");
    let mut hints = String::new();
    while !hints.contains("Ctrl-C") {
        hints += &demo.line();
        hints.push('\n');
    }
    for hint in [
        format!("http://{listening}/\n"),
        format!("http://{listening}/?flashback=debug"),
        format!("http://{admin}/status.json"),
        format!("{{\"url\":\"http://{listening}/\",\"mode\":\"hot\"}}"),
    ] {
        assert!(hints.contains(&hint), "{hints}");
    }
    assert!(get(listening, "/").starts_with("HTTP/1.1 200 "));
    demo.signal("TERM");
    assert_eq!(demo.exit_code(), Some(0));
}

/// Whoever waited minutes for a picture learns at the beginning that it has no place.
#[test]
fn a_picture_that_cannot_be_written_is_told_before_the_work() {
    let log = File::with("access.log", "");
    for work in [&["simulate", "--visitors", "20"][..], &["replay", log.path()]] {
        let (code, out, error) = ended(&[work, &["--plot", "/nowhere/load.svg"]].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{error}");
        assert!(error.contains("cannot write '/nowhere/load.svg'"), "{error}");
    }
}

#[test]
fn a_simulated_crowd_is_reported_and_drawn() {
    let picture = File::with("load.svg", "");
    let (code, out, error) = ended(&[
        "simulate",
        "--load",
        "4,8",
        "--visitors",
        "60",
        "--seed",
        "7",
        "--json",
        "--plot",
        picture.path(),
    ]);
    assert_eq!(code, 0, "{error}");
    let reports: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(reports.len(), 2, "a line for each load");
    for report in reports {
        assert_eq!(report["completed"], 60, "{report}");
        assert_eq!(report["law3_violations"], 0, "{report}");
    }
    let drawing = std::fs::read_to_string(picture.path()).expect("a picture");
    for curve in [
        "median",
        "90th percentile",
        "99th percentile",
        "fluid bound",
        "fluid, median",
        "origin alone",
    ] {
        assert!(drawing.contains(curve), "{curve} is missing");
    }
}

#[test]
fn a_simulated_crowd_comes_as_a_log_says_and_what_is_beside_it_is_told() {
    let line = |second: u32, path: &str| {
        format!("192.0.2.1 - - [11/Oct/2025:13:55:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 1000\n")
    };
    let lines: String = (0..40)
        .map(|second| line(second, "/story") + &line(second, "/favicon.ico"))
        .collect();
    let log = File::with("access.log", &(lines + &line(41, "/story") + "no request\n"));
    let seconds = File::with("seconds.txt", "5\n5.5\n7\n");
    for (file, more, visitors) in [
        (&log, &[][..], 41),
        (&log, &["--log-path", "/favicon.ico", "--loss", "0.01"], 40),
        (&seconds, &["--mix", "0.5mbit:0.5,2mbit:0.5"], 3),
    ] {
        let begin = [
            "simulate",
            "--arrivals",
            "log",
            "--json",
            "--beside",
            "--liars",
            "0.05",
            "--log-file",
            file.path(),
        ];
        let (code, out, error) = ended(&[&begin, more].concat());
        assert_eq!(code, 0, "{error}");
        let report: serde_json::Value = serde_json::from_str(&out).expect("one line of JSON");
        assert_eq!(report["visitors"], visitors, "{report}");
        assert!(
            report["alone"]["seconds"]["p50"].is_number() && report["fair"]["saved"].is_number(),
            "{report}"
        );
        assert!(
            report["fluid"]["p50"].as_f64() < report["alone"]["seconds"]["p50"].as_f64(),
            "{report}"
        );
    }
    let flags = "--visitors 40 --understating 0.3 --load";
    let of = |more: &str| {
        let arguments = format!("simulate {flags} {more}");
        ended(&arguments.split(' ').collect::<Vec<_>>())
    };
    let (code, out, _) = of("8");
    assert!(code == 0 && out.contains("nobody arrived at full load"), "{out}");
    let (code, out, error) = of("2,8 --arrivals poisson");
    assert_eq!(code, 0, "{error}");
    for told in [
        "a doubling of the load, from 2 to 8, costs",
        "who understates its credit",
    ] {
        assert!(out.contains(told), "{told}: {out}");
    }
}

#[test]
fn what_cannot_be_simulated_is_named() {
    let empty = File::with("empty.log", "");
    for (arguments, named) in [
        (&["--loss", "0.7"][..], "0.7"),
        (&["--mix", "1mbit:0.5"], "1mbit:0.5"),
        (&["--dwell", "weibull:9"], "weibull:9"),
        (&["--load", "0"], "load of 0"),
        (&["--visitors", "0"], "0"),
        (&["--free-riders", "0.6", "--liars", "0.6"], "1.2"),
        (&["--arrivals", "log"], "--log-file FILE"),
        (&["--arrivals", "log", "--log-file", empty.path()], "no request"),
        (&["--log-file", empty.path()], "--arrivals log"),
    ] {
        let (code, _, error) = ended(&[&["simulate"], arguments].concat());
        assert_eq!(code, 2, "{arguments:?}: {error}");
        assert!(error.contains(named), "{arguments:?}: {error}");
    }
}

#[test]
fn a_rehearsal_is_for_sites_of_ones_own() {
    for (arguments, named) in [
        (&["rehearse", "http://192.0.2.1/"][..], "--i-own-this-site"),
        (&["rehearse", "ftp://127.0.0.1/"][..], "ftp"),
        (&["rehearse", "http://127.0.0.1/", "--visitors", "0"][..], "0"),
        (&["rehearse", "http://127.0.0.1/", "--liars", "2"][..], "2"),
    ] {
        let (code, out, err) = ended(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
}

#[test]
fn a_rehearsal_reports_what_the_crowd_carried() {
    let any = "127.0.0.1:0";
    let mut demo = Serving::start(&[
        "demo",
        "--no-crowd",
        "--listen",
        any,
        "--admin",
        any,
        "--stun",
        any,
    ]);
    let (site, admin) = (demo.address("listening http://"), demo.address("admin http://"));
    let page = format!("http://{site}/murmuration");
    let order = format!("{{\"url\":\"{page}\",\"mode\":\"hot\"}}");
    let length = order.len();
    let answer = ask(
        admin,
        &format!(
            "POST /crowd HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{order}"
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let rehearse = |visitors| {
        let all = [
            "rehearse",
            &page,
            "--visitors",
            visitors,
            "--arrivals",
            "all",
            "--dwell",
            "1s",
            "--json",
        ];
        let (code, out, err) = ended(&all);
        assert_eq!(code, 0, "{err}");
        serde_json::from_str::<serde_json::Value>(&out).expect("a line of JSON")
    };
    // Somebody has to load what the page refers to: from then on it is known what can be carried.
    rehearse("1");
    let report = rehearse("6");
    for (key, value) in [
        ("visitors", 6),
        ("completed", 6),
        ("hot", 6),
        ("failed", 0),
        ("law3_violations", 0),
        ("wrong_bytes", 0),
    ] {
        assert_eq!(report[key], value, "{key}: {report}");
    }
    assert!(report["bytes"]["peer"].as_u64() > Some(0), "{report}");
    assert!(report["seconds"]["p50"].as_f64() > Some(0.0), "{report}");
    for key in ["bound_s", "saved", "signals", "wall_s"] {
        assert!(report.get(key).is_some(), "{key}: {report}");
    }
}
