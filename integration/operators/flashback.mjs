// The binary's demo on free ports, and what is asked of it.
import { spawn } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = join(import.meta.dirname, "..", "..");
const TARGET = process.env.FLASHBACK_TARGET ?? join(ROOT, "target", "release");

/** Starts `flashback demo`; resolves when it has said where it listens. */
export async function demo() {
  const any = "127.0.0.1:0";
  const flags = ["demo", "--no-crowd", "--listen", any, "--admin", any, "--stun", any];
  const { child, at } = await started(join(TARGET, "flashback"), flags, "stdout", {
    site: /^listening (\S+)/,
    admin: /^admin (\S+)/,
    stun: /^stun (\S+)/,
  });
  return {
    ...at,
    status: async () => JSON.parse((await ask(`${at.admin}/status.json`)).body),
    order: (path, mode) => ask(`${at.admin}/crowd`, { method: "POST", body: JSON.stringify({ url: at.site + path, mode }) }),
    end: () => ended(child),
  };
}

/** A child that has said, on `stream`, all that `expected` looks for. */
export function started(program, flags, stream, expected) {
  const child = spawn(program, flags, { stdio: ["ignore", "pipe", "pipe"] });
  const [at, said] = [{}, []];
  return new Promise((resolve, reject) => {
    const failed = (why) => reject(new Error(`${program}: ${why}\n${said.slice(-20).join("\n")}`));
    child.on("error", (error) => failed(error.message));
    child.on("exit", (code, signal) => failed(`ended with ${code ?? signal}`));
    for (const name of ["stdout", "stderr"]) {
      createInterface({ input: child[name] }).on("line", (line) => {
        said.push(line);
        if (name !== stream) return;
        for (const [word, pattern] of Object.entries(expected)) at[word] ??= pattern.exec(line)?.[1];
        if (Object.keys(expected).every((word) => at[word] !== undefined)) resolve({ child, at });
      });
    }
  });
}

/** Ends a child, by force if a polite word is not enough. */
export async function ended(child) {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const forced = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await gone;
  clearTimeout(forced);
}

/** One request on a connection of its own. */
export function ask(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false }, async (answer) => {
      try {
        const parts = await answer.toArray();
        resolve({ status: answer.statusCode, body: Buffer.concat(parts).toString() });
      } catch (error) {
        reject(error);
      }
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** Asks until the answer is right; tells the last one if it never is. */
export async function until(what, look, right, { within = 60_000, every = 200 } = {}) {
  const deadline = Date.now() + within;
  for (;;) {
    const seen = await look();
    if (right(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`not within ${within / 1000} s: ${what}; last seen: ${String(JSON.stringify(seen)).slice(0, 2_000)}`);
    await pause(every);
  }
}

/** What `work` comes to, or a failure after so many seconds: whatever hangs, its caller cleans up. */
export async function bounded(seconds, work) {
  let late;
  const end = new Promise((_, reject) => {
    late = setTimeout(() => reject(new Error(`not done within ${seconds} s`)), seconds * 1_000);
  });
  try {
    return await Promise.race([work(), end]);
  } finally {
    clearTimeout(late);
  }
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
