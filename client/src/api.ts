/** `window.flashback`: what was got and given in this visit, and the way to switch it off. */
import type { Engine } from "./engine";

export interface Stats {
  /** Payload bytes got from the origin through the swarm's own requests, got from neighbours, and given to them. */
  origin: number;
  peer: number;
  given: number;
  /** Open links. */
  links: number;
  /** Objects of the page of which something was carried. */
  objects: number;
}

export type State = "starting" | "carrying" | "off";

/** Dispatches `state`, `links` and `objects` when these have changed. */
export interface Flashback extends EventTarget {
  state: State;
  /** Why it is off. */
  reason: string;
  stats(): Stats;
  /** Takes no further part in this visit: links are closed, and everything comes from the origin. */
  off(): void;
}

declare global {
  interface Window {
    flashback?: Flashback;
  }
}

/** `window.flashback` before there is an engine; `off` does the switching. */
export function api(engine: () => Engine | undefined, off: () => void): Flashback {
  return Object.assign(new EventTarget(), {
    state: "starting",
    reason: "",
    off,
    stats() {
      const of = engine();
      const objects = of?.objects.filter((object) => object.origin + object.peer > 0).length ?? 0;
      return { origin: 0, peer: 0, given: 0, ...of?.ledger, links: of?.links() ?? 0, objects };
    },
  } as const);
}
