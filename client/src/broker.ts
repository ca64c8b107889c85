/** The visitor's socket to the broker: joins, and joins again a few times when it is lost. */
import { VERSION } from "./message";
import { PREFIX } from "./port";
import { decodeSignal, encodeSignal, Talk, type FromBroker, type FromVisitor } from "./signal";

/** Close codes 4000 to 4004 are refusals; 4004 says that the page is calm. */
const CALM = 4004;
const REFUSED = 4000;
/** Tries to come back: 1, 2, 4, 8 and 16 s, each spread by half, so that a restarted broker is not stampeded. */
const TRIES = 5;

export interface Broker {
  /** Dropped where there is no connection: nothing that is said here is needed later. */
  send(message: FromVisitor): void;
  close(): void;
}

/** `heard` is told what it says, `lost` that there is no broker for now. */
export function join(token: Uint8Array, heard: (message: FromBroker) => void, lost: () => void): Broker {
  let socket: WebSocket | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;

  const open = (): void => {
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + PREFIX + "signal");
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      send({ kind: Talk.Join, wireVersion: VERSION, token });
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      // Text, which no broker of ours sends, makes bytes that are no message either.
      const message = decodeSignal(new Uint8Array(data));
      if (message.kind === 0) {
        socket?.close();
        return;
      }
      if (message.kind === Talk.Welcome) tries = 0;
      heard(message);
    };
    socket.onclose = ({ code }) => {
      if (code === CALM) heard({ kind: Talk.Calm });
      else lost();
      // What the broker refused, it will refuse again.
      if ((code >= REFUSED && code <= CALM) || tries >= TRIES) return;
      retry = setTimeout(open, 1000 * 2 ** tries++ * (0.5 + Math.random()));
    };
  };
  const send = (message: FromVisitor): void => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(encodeSignal(message));
  };
  open();
  return {
    send,
    close() {
      clearTimeout(retry);
      if (!socket) return;
      socket.onclose = null;
      socket.close();
    },
  };
}
