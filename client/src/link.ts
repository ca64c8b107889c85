/**
 * One link to a neighbour: an RTCPeerConnection with one negotiated channel. No SDP travels: each side makes an offer of
 * its own and sets the other's identity as the answer to it (`docs/protocol.md`, meeting).
 */
import { answer, candidateOf, candidateText, identityOf, isPrivate, type Candidate } from "./identity";
import type { Body } from "./signal";

/** Bytes queued towards a neighbour above which it waits: a few packets' worth of the fastest links there are. */
export const QUEUE = 64 * 1024;
/** Milliseconds for a link to open; the slowest that succeed take some seconds behind NATs. */
const OPENING = 10_000;
/** Candidates that may come before the identity. */
const EARLY_MOST = 16;

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
  opened(): void;
  heard(bytes: Uint8Array): void;
  /** Little is queued again. */
  drained(): void;
  /** Closed by the neighbour or the network, or could not be opened; never after `close`. */
  closed(): void;
}

export interface LinkOptions {
  stun: string | undefined;
  lan: boolean;
  /** Whether the neighbour waits for our DTLS handshake. */
  passive: boolean;
}

/** Begins to connect. Throws where the browser has no more connections to give. */
export function connect({ stun, lan, passive }: LinkOptions, on: LinkEvents): Link {
  const connection = new RTCPeerConnection(stun ? { iceServers: [{ urls: stun }] } : {});
  const channel = connection.createDataChannel("", { negotiated: true, id: 0 });
  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = QUEUE;
  const early: Candidate[] = [];
  let described = false;
  let done = false;

  const close = (): void => {
    done = true;
    clearTimeout(patience);
    connection.close();
  };
  const fail = (): void => {
    if (done) return;
    close();
    on.closed();
  };
  const patience = setTimeout(fail, OPENING);
  // A candidate that cannot be used is nothing: others may.
  const use = (candidate: Candidate): void => {
    void connection.addIceCandidate({ candidate: candidateText(candidate), sdpMid: "0" }).catch(() => undefined);
  };
  const offer = async (): Promise<void> => {
    await connection.setLocalDescription();
    const identity = identityOf(connection.localDescription?.sdp ?? "");
    if (identity) on.signal({ kind: "identity", identity });
    else fail();
  };
  const offered = offer();
  offered.catch(fail);

  connection.onicecandidate = ({ candidate }) => {
    const found = candidate && candidateOf(candidate.candidate);
    if (found && (lan || !isPrivate(found))) on.signal({ kind: "candidate", candidate: found });
  };
  connection.onconnectionstatechange = () => {
    if (connection.connectionState === "failed") fail();
  };
  channel.onopen = () => {
    clearTimeout(patience);
    on.opened();
  };
  channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    if (!done) on.heard(new Uint8Array(data));
  };
  channel.onbufferedamountlow = () => {
    on.drained();
  };
  channel.onclose = fail;

  const describe = async (sdp: string): Promise<void> => {
    await offered;
    await connection.setRemoteDescription({ type: "answer", sdp });
    described = true;
    early.splice(0).forEach(use);
  };
  return {
    send(bytes) {
      if (channel.readyState === "open") channel.send(bytes);
    },
    signal(body) {
      if (body.kind === "identity") {
        if (!described) describe(answer(body.identity, passive)).catch(fail);
      } else if (lan || !isPrivate(body.candidate)) {
        // A stranger must not make us knock on doors of our own network.
        if (described) use(body.candidate);
        else if (early.length < EARLY_MOST) early.push(body.candidate);
      }
    },
    queued: () => channel.bufferedAmount,
    close,
  };
}
