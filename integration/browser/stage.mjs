// The stage: the bare example site as origin, counted; the real binary in front of it; and, where a test wants to cut
// the signalling, a relay between the binary and the browsers.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { relay } from "./relay.mjs";
import { until } from "./until.mjs";

const ROOT = join(import.meta.dirname, "..", "..");
const TARGET = process.env.FLASHBACK_TARGET ?? join(ROOT, "target", "release");
const PAGES = join(ROOT, "examples", "axum-site", "site", "pages");

/**
 * Browsers on one machine have no other candidates than private ones. Eight of them on two cores start their workers
 * later than one visitor's machine does: the hold is longer, so that what is measured is the swarm and not the start.
 */
export const SETTINGS = '[broker]\nlan_candidates = true\n[carry]\nhold = "5s"\n';

/** A file of the site, as it is on the disk. */
export const file = (path) => readFileSync(join(PAGES, path));

/** Starts everything, on free ports. */
export async function stage({ cuttable = false, settings = SETTINGS, address = "127.0.0.1" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "flashback-"));
  const config = join(folder, "flashback.toml");
  writeFileSync(config, settings);
  const origin = await start("origin", [], ["listening"]);
  const [any, local] = [`${address}:0`, "127.0.0.1:0"];
  const flags = ["proxy", "--upstream", origin.at.listening, "--listen", any, "--admin", local, "--stun", any, "--config", config];
  const proxy = await start("flashback", flags, ["listening", "admin"]);
  const cable = cuttable ? await relay(new URL(proxy.at.listening).port) : undefined;
  const site = cable?.url ?? proxy.at.listening;
  const { admin } = proxy.at;
  let heated = 0;

  return {
    site,
    admin,
    cable,
    /** How often the origin was asked for `path` since a page was made hot. */
    asked: (path) => origin.lines.slice(heated).filter((line) => line.startsWith(`GET ${path} `)).length,
    /** What the binary has said, for failures. */
    log: () => proxy.errors.slice(-40).join("\n"),
    status: async () => JSON.parse((await ask(`${admin}/status.json`)).body),
    metric: async (name) => {
      const lines = String((await ask(`${admin}/metrics`)).body).split("\n");
      return lines.filter((line) => line.startsWith(name)).reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    },
    async crowd(path, mode) {
      const answer = await ask(`${admin}/crowd`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ url: site + path, mode }),
      });
      if (answer.status >= 300) throw new Error(`POST /crowd: ${answer.status} ${answer.body}`);
    },
    /** Makes a page hot, asks for all of its objects once as its first visitor does, and waits until its manifest names them. */
    async hot({ path, objects }) {
      heated = origin.lines.length;
      await this.crowd(path, "hot");
      await navigate(site + path);
      for (const object of objects) await ask(site + object, { headers: { referer: site + path } });
      const missing = async () => {
        const known = manifest((await navigate(site + path)).body).map(({ url }) => url);
        return objects.filter((object) => !known.includes(object));
      };
      await until(`the manifest of ${path} names all objects`, missing, (list) => list.length === 0);
    },
    async end() {
      cable?.close();
      await Promise.all([proxy, origin].map((process) => process.end()));
      rmSync(folder, { recursive: true });
    },
  };
}

/** Sends native visitors to a page; what `flashback rehearse` says of them. A law that is broken makes it fail. */
export async function rehearse(url, flags) {
  const { stdout } = await promisify(execFile)(join(TARGET, "flashback"), ["rehearse", url, "--json", ...flags.map(String)]);
  return JSON.parse(stdout);
}

/** Asks as a browser does that opens a page. */
export const navigate = (url) =>
  ask(url, {
    headers: {
      accept: "text/html,*/*;q=0.8",
      "sec-fetch-dest": "document",
      "sec-fetch-mode": "navigate",
      "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36",
    },
  });

/** The objects that a page's manifest names; none, if it is not carried. */
export function manifest(html) {
  const json = /<script[^>]*id="flashback-page"[^>]*>(.*?)<\/script>/s.exec(String(html))?.[1];
  return json === undefined ? [] : JSON.parse(json).objects;
}

/** One request on a connection of its own; the answer whole, its headers as they came. */
export function ask(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false }, async (answer) => {
      try {
        const parts = await answer.toArray();
        resolve({ status: answer.statusCode, headers: answer.rawHeaders, body: Buffer.concat(parts) });
      } catch (error) {
        reject(error);
      }
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** Starts one of our binaries and waits for the lines that name its addresses. */
async function start(name, flags, expected) {
  const child = spawn(join(TARGET, name), flags, { stdio: ["ignore", "pipe", "pipe"] });
  const [lines, errors, at] = [[], [], {}];
  let failure;
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve((failure = `${error.message}; cargo build --release builds it`)));
    child.on("exit", (code, signal) => resolve((failure ??= `ended with ${code ?? signal}`)));
  });
  createInterface({ input: child.stderr }).on("line", (line) => errors.push(line));
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    const [word, address] = line.split(" ");
    if (expected.includes(word)) at[word] ??= address;
  });
  await until(
    `${name} names its addresses`,
    () => ({ failure, at, errors }),
    () => failure !== undefined || expected.every((word) => at[word]),
  );
  if (failure) throw new Error(`${name}: ${failure}\n${errors.join("\n")}`);
  return {
    at,
    lines,
    errors,
    async end() {
      child.kill("SIGTERM");
      const forced = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await ended;
      clearTimeout(forced);
    },
  };
}
