/**
 * What page and worker say to each other. Types and one path, no code of either side: both bundles import it.
 */

/** The one reserved prefix of the site. */
export const PREFIX = "/.flashback/";

/** What the worker must know of an object to answer for it. */
export interface Carried {
  url: string;
  type: string;
  length: number;
  etag: string;
  digest: string;
  headers: Readonly<Record<string, string>>;
}

/** From the page to the worker: messages of the client. Hello carries the port on which requests come. */
export type ToWorker =
  | { what: "flashback:hello"; objects: readonly Carried[] }
  /** Still here: keeps the worker awake, and lets one that was started anew ask who we are. */
  | { what: "flashback:here" }
  /** Take over this page, which a hard reload left uncontrolled. */
  | { what: "flashback:claim" }
  /** This page carries no more. */
  | { what: "flashback:bye" };

/** From the worker to the page: on Hello's port, but `who`, which goes to a client that has not greeted. */
export type ToPage =
  | { what: "ready" }
  /** Deliver the bytes `from..to` of an object on the port that comes along. */
  | { what: "carry"; url: string; from: number; to: number }
  | { what: "flashback:who" };

/** On the port of one request. */
export type Pull = { what: "more" } | { what: "stop" };
export type Push =
  | { what: "part"; part: ArrayBuffer }
  /** Alive, but nothing yet. */
  | { what: "wait" }
  /** Let the network have it. */
  | { what: "pass" };
