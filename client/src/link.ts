/**
 * One link to a neighbour: an RTCPeerConnection with one negotiated channel. No SDP travels: each side makes an offer of
 * its own and sets the other's identity as the answer to it (`docs/protocol.md`, meeting).
 */
import { answer, candidateOf, candidateText, identityOf, type Identity } from "./identity";
import type { Body } from "./signal";
import type { Input } from "./swarm";

/** Bytes queued towards a neighbour above which it waits: a few packets' worth of the fastest links there are. */
export const QUEUE = 64 * 1024;
/** Milliseconds for a link to open; the slowest that succeed take some seconds behind NATs. */
const OPENING = 10_000;
/** Candidates that are tried: more than a host with many interfaces has. */
const CANDIDATES_MOST = 16;

export interface Link {
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** What the neighbour told through the broker. */
  signal(body: Body): void;
  /** Bytes that are queued towards the neighbour. */
  queued(): number;
  close(): void;
}

export interface LinkEvents {
  /** To be told to the neighbour through the broker. */
  signal(body: Body): void;
  /** For the swarm. `closed` comes also where the link could not be opened, but never after `close`. */
  input(what: Input): void;
}

export interface LinkOptions {
  /** The number of the visitor at the other end. */
  link: number;
  stun: string | undefined;
  lan: boolean;
  /** Whether the neighbour waits for our DTLS handshake. */
  passive: boolean;
}

/** Begins to connect. Throws where the browser has no more connections to give. */
export function connect({ link, stun, lan, passive }: LinkOptions, on: LinkEvents): Link {
  const connection = new RTCPeerConnection(stun ? { iceServers: [{ urls: stun }] } : {});
  const channel = connection.createDataChannel("", { negotiated: true, id: 0 });
  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = QUEUE;
  let candidates = 0;
  let done = false;

  const close = (): void => {
    done = true;
    clearTimeout(patience);
    connection.close();
  };
  const fail = (): void => {
    if (done) return;
    close();
    on.input({ kind: "closed", link });
  };
  const patience = setTimeout(fail, OPENING);
  const offered = connection.setLocalDescription().then(() => {
    const identity = identityOf(connection.localDescription?.sdp ?? "");
    if (identity) on.signal({ kind: "identity", identity });
    else fail();
  });
  let describe: (as: Identity) => void;
  const described = Promise.all([new Promise<Identity>((resolve) => (describe = resolve)), offered]).then(([identity]) =>
    connection.setRemoteDescription({ type: "answer", sdp: answer(identity, passive) }),
  );
  described.catch(fail);

  connection.onicecandidate = ({ candidate }) => {
    const found = candidate && candidateOf(candidate.candidate);
    // A name of the local network is of use in the same network only; the broker drops it anyway, and private addresses.
    if (found && (lan || found.place)) on.signal({ kind: "candidate", candidate: found });
  };
  connection.onconnectionstatechange = () => {
    if (connection.connectionState === "failed") fail();
  };
  channel.onopen = () => {
    clearTimeout(patience);
    on.input({ kind: "opened", link });
  };
  channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    if (!done) on.input({ kind: "heard", link, bytes: new Uint8Array(data) });
  };
  channel.onbufferedamountlow = () => {
    on.input({ kind: "drained", link });
  };
  channel.onclose = fail;

  return {
    send(bytes) {
      if (channel.readyState === "open") channel.send(bytes);
    },
    signal(body) {
      if (body.kind === "identity") describe(body.identity);
      else if (candidates++ < CANDIDATES_MOST) {
        const { candidate } = body;
        // One that cannot be used is nothing: others may.
        described.then(() => connection.addIceCandidate({ candidate: candidateText(candidate), sdpMid: "0" })).catch(() => undefined);
      }
    },
    queued: () => channel.bufferedAmount,
    close,
  };
}
