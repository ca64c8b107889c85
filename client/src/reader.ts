/** One request of the page that the worker passes on: bytes are pulled from the store as they come, in order. */
import { CHUNK, type PageObject } from "./manifest";
import type { Pull, Push } from "./port";
import type { Store } from "./store";

export interface Reader {
  readonly object: PageObject;
  readonly port: MessagePort;
  /** The next byte of the object, and the end. */
  at: number;
  readonly to: number;
  /** The worker waits for an answer. */
  hungry: boolean;
}

export interface ReaderEvents {
  /** The worker wants more. */
  pulled(reader: Reader): void;
  /** The request is over. */
  stopped(reader: Reader): void;
}

export function reader(object: PageObject, at: number, to: number, port: MessagePort, on: ReaderEvents): Reader {
  const reader: Reader = { object, port, at, to, hungry: false };
  port.onmessage = ({ data }: MessageEvent<Pull>) => {
    if (data.kind === "stop") {
      on.stopped(reader);
      return;
    }
    reader.hungry = true;
    on.pulled(reader);
  };
  return reader;
}

/** Answers a hungry reader with what is there, at most 64 KiB; true if something was. */
export function feed(reader: Reader, store: Store): boolean {
  if (!reader.hungry) return false;
  const parts: Uint8Array[] = [];
  let length = 0;
  while (reader.at + length < reader.to && length < PULL_MOST) {
    const at = reader.at + length;
    const within = at % CHUNK;
    const held = store.get(reader.object.first + Math.floor(at / CHUNK));
    const part = held?.bytes.subarray(within, Math.min(within + reader.to - at, within + PULL_MOST - length));
    if (!part?.length) break;
    parts.push(part);
    length += part.length;
  }
  if (length === 0) return false;
  const bytes = new Uint8Array(length);
  let filled = 0;
  for (const part of parts) {
    bytes.set(part, filled);
    filled += part.length;
  }
  reader.at += length;
  reader.hungry = false;
  tell(reader, { kind: "bytes", bytes: bytes.buffer }, [bytes.buffer]);
  return true;
}

export function tell(reader: Reader, message: Push, transfer: Transferable[] = []): void {
  reader.port.postMessage(message, transfer);
}

/** The chunks that a reader needs next, of the room: as far ahead as is worth having before it is read. */
export function ahead(reader: Reader): [from: number, to: number] {
  const first = Math.floor(reader.at / CHUNK);
  const last = Math.ceil(reader.to / CHUNK);
  return [reader.object.first + first, reader.object.first + Math.min(last, first + AHEAD)];
}

/** Bytes of one answer to the worker. */
const PULL_MOST = 64 * 1024;
/** Chunks (1 MiB) ahead of a reader: images whole, video a few seconds, and no memory for what nobody may watch. */
const AHEAD = 64;
