/** One request of the page that the worker passes on: bytes are pulled from the store as they come, in order. */
import type { Store } from "./store";
import { CHUNK, type PageObject } from "./manifest";
import type { Push } from "./port";

/** Chunks (1 MiB) ahead of a reader: images whole, video a few seconds, and no memory for what nobody may watch. */
const AHEAD = 64;

export interface Reader {
  readonly object: PageObject;
  readonly port: MessagePort;
  /** The next byte of the object, and the end. */
  at: number;
  readonly to: number;
  /** Since when the worker waits for an answer, if it does. */
  hungry: number | undefined;
}

/** Answers a hungry reader with what is there of one chunk; true if something was. */
export function feed(reader: Reader, store: Store): boolean {
  const within = reader.at % CHUNK;
  const held = reader.hungry && store.get(reader.object.first + Math.floor(reader.at / CHUNK));
  if (!held) return false;
  // A copy, because it is given away.
  const bytes = held.bytes.slice(within, within + reader.to - reader.at);
  reader.at += bytes.length;
  reader.hungry = undefined;
  tell(reader, { what: "part", part: bytes.buffer }, [bytes.buffer]);
  return true;
}

export function tell(reader: Reader, message: Push, transfer: Transferable[] = []): void {
  reader.port.postMessage(message, transfer);
}

/** The chunks that a reader needs next, of the room: as far ahead as is worth having before it is read. */
export function ahead(reader: Reader): [from: number, to: number] {
  const first = Math.floor(reader.at / CHUNK);
  const last = reader.to / CHUNK;
  return [reader.object.first + first, reader.object.first + Math.min(last, first + AHEAD)];
}
