/**
 * Where the bytes of an answer come from: the page, pulled over a port, or the network from the byte on where the page
 * stopped.
 */
import { PREFIX, type Carried, type Pull, type Push, type ToPage } from "../port";

/** Milliseconds between two looks whether the page is alive. */
const WATCH = 100;
/** Milliseconds after which a page that says nothing counts as stuck; it says "wait" twice a second. */
const SILENCE = 2000;

export interface Source {
  /** The next bytes; undefined when there will be none. */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  stop(): void;
}

/** A page that carries: where its requests go, and whether it is still there. */
export interface Page {
  port: MessagePort;
  alive(): Promise<boolean>;
}

/** The page delivers `from..end` of the object at `url`, for as long as it lives and says so. */
export function fromPage(page: Page, url: string, from: number, end: number): Source {
  const { port1: port, port2 } = new MessageChannel();
  const carry: ToPage = { what: "carry", url, from, to: end };
  page.port.postMessage(carry, [port2]);
  const say = (message: Pull): void => {
    port.postMessage(message);
  };
  return {
    next: () =>
      new Promise((resolve) => {
        let heard = Date.now();
        const settle = (bytes?: Uint8Array<ArrayBuffer>): void => {
          clearInterval(watch);
          port.onmessage = null;
          resolve(bytes);
        };
        // A page that was closed or has crashed is seen at once; one that is stuck, by its silence.
        const watch = setInterval(() => {
          void page.alive().then((alive) => {
            if (!alive || Date.now() - heard > SILENCE) settle();
          });
        }, WATCH);
        port.onmessage = ({ data }: MessageEvent<Push>) => {
          heard = Date.now();
          if (data.what === "part") settle(new Uint8Array(data.part));
          else if (data.what === "pass") settle();
        };
        say({ what: "more" });
      }),
    stop() {
      say({ what: "stop" });
      port.close();
    },
  };
}

/** The origin's own answer for `from..end`: by digest, which cannot have changed, else by the URL if it has not. */
export async function fromNetwork(object: Carried, from: number, end: number): Promise<Source | undefined> {
  const range = { range: `bytes=${from}-${end - 1}` };
  const ways = [
    () => fetch(`${PREFIX}object/${object.digest}`, { headers: range }),
    () => fetch(object.url, { headers: { ...range, "if-range": object.etag } }),
  ];
  for (const way of ways) {
    const response = await way().catch(() => undefined);
    const right = response?.headers.get("content-range") === `bytes ${from}-${end - 1}/${object.length}`;
    if (!response?.body || response.status !== 206 || !right) continue;
    const reader = response.body.getReader();
    return {
      // A connection that breaks is an end like any other: whoever pulls goes on from there.
      next: async () => (await reader.read().catch(() => undefined))?.value,
      stop: () => void reader.cancel().catch(() => undefined),
    };
  }
  return undefined;
}
