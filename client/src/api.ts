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
  readonly state: State;
  /** Why it is off. */
  readonly reason: string;
  stats(): Stats;
  /** Takes no further part in this visit: links are closed, and everything comes from the origin. */
  off(): void;
}

declare global {
  interface Window {
    flashback?: Flashback;
  }
}

/** What the bootstrap sets. */
export interface Control {
  readonly api: Flashback;
  engine: Engine | undefined;
  become(state: State, reason: string): void;
}

export function control(off: () => void): Control {
  const start: { state: State; reason: string } = { state: "starting", reason: "" };
  const api = Object.assign(new EventTarget(), start, {
    stats: () => stats(control.engine),
    off,
  });
  const control: Control = {
    api,
    engine: undefined,
    become(state, reason) {
      if (api.state === "off") return;
      Object.assign(api, { state, reason });
      api.dispatchEvent(new Event("state"));
    },
  };
  return control;
}

function stats(engine: Engine | undefined): Stats {
  const { origin = 0, peer = 0, given = 0 } = engine?.ledger ?? {};
  const carried = [...(engine?.progress.values() ?? [])].filter((bytes) => bytes.origin + bytes.peer > 0);
  return { origin, peer, given, links: engine?.links() ?? 0, objects: carried.length };
}
