/** The visitor's socket to the broker: joins, and joins again a few times when it is lost. */
import { PREFIX } from "./port";
import { decodeSignal, encodeSignal, type FromBroker, type FromVisitor } from "./signal";

/** Close codes 4000 to 4004 are refusals; 4004 says that the page is calm. */
const CALM = 4004;
/** Tries to come back: 1, 2, 4, 8 and 16 s, each spread by half, so that a restarted broker is not stampeded. */
const TRIES = 5;

export interface Broker {
  /** Dropped where there is no connection: nothing that is said here is needed later. */
  send(message: FromVisitor): void;
  close(): void;
}

export interface BrokerEvents {
  heard(message: FromBroker): void;
  /** There is no broker for now. */
  lost(): void;
}

export function join(token: Uint8Array, random: () => number, on: BrokerEvents): Broker {
  let socket: WebSocket | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  let closed = false;

  const open = (): void => {
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + PREFIX + "signal");
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      send({ kind: "join", token });
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      const message = data instanceof ArrayBuffer && decodeSignal(new Uint8Array(data));
      if (!message || message.kind === "refused") {
        socket?.close();
        return;
      }
      if (message.kind === "welcome") tries = 0;
      on.heard(message);
    };
    socket.onclose = ({ code }) => {
      if (closed) return;
      if (code === CALM) on.heard({ kind: "calm" });
      else on.lost();
      // What the broker refused, it will refuse again.
      if ((code >= CALM - 4 && code <= CALM) || tries >= TRIES) return;
      retry = setTimeout(open, 1000 * 2 ** tries++ * (0.5 + random()));
    };
  };
  const send = (message: FromVisitor): void => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(encodeSignal(message));
  };
  open();
  return {
    send,
    close() {
      closed = true;
      clearTimeout(retry);
      socket?.close();
    },
  };
}
