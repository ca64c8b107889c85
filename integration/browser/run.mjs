// Runs node with the given arguments in a network of its own: one end of a veth pair and a default route, so that
// browsers find a candidate address and none of their mDNS leaves the machine. Where we are not root, in the ordinary
// network.
import { execFileSync, spawn } from "node:child_process";

const name = `flashback-${process.pid}`;
const ends = [`fb${process.pid}a`, `fb${process.pid}b`];
const ip = (...words) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });

function isolate() {
  if (process.getuid() !== 0) return [];
  try {
    ip("netns", "add", name);
    ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", name);
    ip("link", "set", ends[0], "up");
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "address", "add", "10.79.0.2/24", "dev", ends[1]);
    ip("-n", name, "link", "set", ends[1], "up");
    ip("-n", name, "route", "add", "default", "via", "10.79.0.1");
  } catch (error) {
    restore();
    console.log(`no network namespace (${String(error.stderr ?? error).trim()}): running in the ordinary network`);
    return [];
  }
  return ["ip", "netns", "exec", name];
}

function restore() {
  try {
    ip("netns", "delete", name);
  } catch {
    // It was never made.
  }
}

const [command, ...rest] = [...isolate(), process.execPath, ...process.argv.slice(2)];
const child = spawn(command, rest, { stdio: "inherit", cwd: import.meta.dirname });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => {
  restore();
  process.exitCode = code ?? 1;
});
