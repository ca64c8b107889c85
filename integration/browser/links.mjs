// Browsers behind links of their own: a network namespace for the origin and for each visitor, a bridge between them, a token
// bucket both ways as a modem has it. What `links` (../src/bin/links) is for native visitors; browsers cost so much that a few
// must do. Needs root, `ip` and `tc`; the namespaces end with this program.
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    visitors: { type: "string", default: "6" },
    over: { type: "string", default: "4000" },
    up: { type: "string", default: "1mbit" },
    down: { type: "string", default: "8mbit" },
    "origin-up": { type: "string", default: "2500kbit" },
    help: { type: "boolean", short: "h" },
  },
});
if (options.help) {
  console.log("node links.mjs [--visitors 6] [--over MILLISECONDS] [--up 1mbit] [--down 8mbit] [--origin-up 2500kbit]");
  process.exit(0);
}

const MODEM = 0.1;
/** Two packets: with less the bucket never fills. */
const BURST_MIN = 3028;
const ip = (...words) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
const BRIDGE = `fb${process.pid}b`;
const ORIGIN = `fb${process.pid}o`;
const visitors = Array.from({ length: whole("visitors") }, (_, number) => `fb${process.pid}v${number}`);

function whole(name) {
  const number = Number(options[name]);
  if (Number.isInteger(number) && number > 0) return number;
  return fail(`--${name}: ${options[name]} is no whole number above zero`);
}

/** Bytes per second of `1mbit`, `2500kbit`. */
function bytes(name) {
  const [, number, unit] = /^(\d+)(k|m|g)bit$/.exec(options[name]) ?? fail(`--${name}: ${options[name]} is no rate; write 1mbit or 2500kbit`);
  return (Number(number) * { k: 1e3, m: 1e6, g: 1e9 }[unit]) / 8;
}

function fail(why) {
  console.error(`links: ${why}`);
  process.exit(2);
}

function shape(place, device, rate) {
  const burst = Math.round(Math.max(BURST_MIN, rate / 200));
  const bucket = ["tbf", "rate", `${rate * 8}bit`, "burst", burst, "limit", Math.round(burst + rate * MODEM)];
  // Rates are those of IP packets: Ethernet's 14 bytes do not count.
  ip("netns", "exec", place, "tc", "qdisc", "add", "dev", device, "root", "stab", "overhead", "-14", ...bucket.map(String));
}

/** One more place at the bridge, the `number`th; without segmentation offload, so that a packet is a packet. */
function connect(place, number, up, down) {
  const [port, packets] = [`p${number}`, ["gso_max_size", "1514", "gso_max_segs", "1"]];
  ip("netns", "add", place);
  ip("-n", BRIDGE, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", place);
  ip("-n", BRIDGE, "link", "set", port, "master", "br0", "up", ...packets);
  ip("-n", place, "link", "set", "lo", "up");
  ip("-n", place, "address", "add", `10.77.0.${number + 1}/24`, "dev", "eth0");
  ip("-n", place, "link", "set", "eth0", "up", ...packets);
  ip("-n", place, "route", "add", "default", "via", "10.77.0.254");
  shape(place, "eth0", up);
  if (down) shape(BRIDGE, port, down);
}

function restore() {
  for (const place of [...visitors, ORIGIN, BRIDGE]) {
    try {
      ip("netns", "delete", place);
    } catch {
      // It was never made.
    }
  }
}

const [up, down, origin] = ["up", "down", "origin-up"].map(bytes);
try {
  ip("netns", "add", BRIDGE);
  ip("-n", BRIDGE, "link", "add", "br0", "type", "bridge");
  ip("-n", BRIDGE, "address", "add", "10.77.0.254/24", "dev", "br0");
  ip("-n", BRIDGE, "link", "set", "br0", "up");
  connect(ORIGIN, 0, origin);
  visitors.forEach((place, number) => connect(place, number + 1, up, down));
} catch (error) {
  restore();
  fail(String(error.stderr || error.message).trim());
}
const crowd = JSON.stringify({ visitors, over: whole("over"), uplink: options["origin-up"] });
const inside = ["netns", "exec", ORIGIN, process.execPath, join(import.meta.dirname, "inside.mjs"), crowd];
const child = spawn("ip", inside, { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => {
  restore();
  process.exitCode = code ?? 1;
});
