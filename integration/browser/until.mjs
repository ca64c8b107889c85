// Waiting for a condition, with a deadline. There is no other waiting in these tests.
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

/** Looks `every` so many milliseconds until `holds` of what is seen; past the deadline, fails with what was seen last. */
export async function until(what, look, holds = Boolean, { within = 30_000, every = 50 } = {}) {
  const end = Date.now() + within;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > end) throw new Error(`${what}: not within ${within} ms; seen ${inspect(seen, { depth: 4 })}`);
    await delay(every);
  }
}
