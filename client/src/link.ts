/**
 * One link to a neighbour: an RTCPeerConnection with one negotiated channel. No SDP travels: each side makes an offer of
 * its own and sets the other's identity as the answer to it (`docs/protocol.md`, meeting).
 */
import { In, type Input } from "./step";
import { answer, candidateOf, candidateText, identityOf } from "./identity";
import { Part, type Body } from "./body";
import { reachable } from "./reach";
import { SILENCE } from "./rules";

/** Bytes queued towards a neighbour above which it waits: at 1 Mbit/s 0.13 s in which what was cancelled goes out all the same. */
const QUEUE = 16 * 1024;
/** Milliseconds for a link to open; the slowest that succeed take some seconds behind NATs. */
const OPENING = 10_000;
/** Candidates that are told and tried: what whoever introduced us hands on. */
const CANDIDATES_MOST = 8;

export interface Link {
  /** True if more is queued towards the neighbour than is good; the swarm is told when it is not any more. */
  send(bytes: Uint8Array<ArrayBuffer>): boolean;
  /** What the neighbour told through whoever introduced it. */
  signal(body: Body): void;
  close(): void;
}

export interface LinkOptions {
  stun: string | undefined;
  lan: boolean;
}

/**
 * Begins to connect with the visitor of number `link`, who waits for our DTLS handshake if it is `passive`. `signal` is to be
 * told to the neighbour, through whoever introduced it; `input` is for the swarm: `closed` comes also where the link could
 * not be opened, but never after `close`. Throws where the browser has no more connections to give.
 */
export function connect(
  { stun, lan }: LinkOptions,
  link: number,
  passive: boolean,
  signal: (body: Body) => void,
  input: (what: Input) => void,
): Link {
  const connection = new RTCPeerConnection({ iceServers: stun ? [{ urls: stun }] : [] });
  const channel = connection.createDataChannel("", { negotiated: true, id: 0 });
  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = QUEUE;
  let told = 0;
  let tried = 0;
  let done = false;

  const close = (): void => {
    done = true;
    clearTimeout(patience);
    connection.close();
  };
  const fail = (): void => {
    if (done) return;
    close();
    input({ kind: In.Closed, link });
  };
  let patience = setTimeout(fail, SILENCE);
  const offered = connection.setLocalDescription().then(() => {
    const identity = identityOf(connection.localDescription?.sdp ?? "");
    if (identity) signal({ kind: Part.Identity, identity });
    else fail();
  });
  let described: Promise<void> | undefined;

  connection.onicecandidate = ({ candidate }) => {
    const found = candidate && candidateOf(candidate.candidate);
    if (found && reachable(found, lan) && told++ < CANDIDATES_MOST) signal({ kind: Part.Candidate, candidate: found });
  };
  connection.onconnectionstatechange = () => {
    if (connection.connectionState === "failed") fail();
  };
  channel.onopen = () => {
    clearTimeout(patience);
    input({ kind: In.Opened, link });
  };
  channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    if (!done) input({ kind: In.Heard, link, bytes: new Uint8Array(data) });
  };
  channel.onbufferedamountlow = () => {
    input({ kind: In.Full, link, full: false });
  };
  channel.onclose = fail;

  return {
    send(bytes) {
      if (channel.readyState === "open") channel.send(bytes);
      return channel.bufferedAmount >= QUEUE;
    },
    signal(body) {
      if (body.kind === Part.Identity) {
        // The first counts, and comes ahead of the candidates.
        if (described) return;
        const sdp = answer(body.identity, passive);
        clearTimeout(patience);
        patience = setTimeout(fail, OPENING);
        described = offered.then(() => connection.setRemoteDescription({ type: "answer", sdp }));
        described.catch(fail);
      } else if (reachable(body.candidate, lan) && tried++ < CANDIDATES_MOST) {
        const candidate = candidateText(body.candidate);
        // One that cannot be used is nothing: others may.
        described?.then(() => connection.addIceCandidate({ candidate, sdpMid: "0" })).catch(() => undefined);
      }
    },
    close,
  };
}
