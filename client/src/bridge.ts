/** The page's side of the talk with its worker: greeting it, and greeting again when it was started anew. */
import type { ToPage, ToWorker } from "./port";
import { workerUrl } from "./register";
import type { PageObject } from "./manifest";

/** Milliseconds between two signs of life: browsers stop a worker that has had none for 30 s. */
const HERE = 20_000;

export interface Bridge {
  /** Says goodbye: the worker lets everything pass from now on. */
  close(): void;
}

export interface Crossing {
  /** The worker knows the manifest. */
  ready(): void;
  /** The bytes `from..to` of the object at `url` are wanted on `port`. */
  carry(url: string, from: number, to: number, port: MessagePort): void;
  /** Another worker controls the page. */
  lost(): void;
}

/** Greets the controller with `objects`, and again whenever it forgot or was replaced. */
export function bridge(objects: readonly PageObject[], on: Crossing): Bridge {
  const { serviceWorker } = navigator;
  const say = (message: ToWorker, ports: MessagePort[] = []): void => {
    serviceWorker.controller?.postMessage(message, ports);
  };
  let closed = false;
  const greet = (): void => {
    if (closed) return;
    if (serviceWorker.controller?.scriptURL !== workerUrl()) {
      on.lost();
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data, ports: [port] }: MessageEvent<ToPage>) => {
      if (data.what === "ready") on.ready();
      else if (data.what === "carry" && port) on.carry(data.url, data.from, data.to, port);
    };
    say({ what: "flashback:hello", objects }, [port2]);
  };
  const hear = ({ data }: MessageEvent<ToPage | null>): void => {
    if (data?.what === "flashback:who") greet();
  };

  serviceWorker.addEventListener("controllerchange", greet);
  serviceWorker.addEventListener("message", hear);
  serviceWorker.startMessages();
  const awake = setInterval(() => {
    say({ what: "flashback:here" });
  }, HERE);
  greet();
  return {
    close() {
      clearInterval(awake);
      closed = true;
      say({ what: "flashback:bye" });
    },
  };
}
