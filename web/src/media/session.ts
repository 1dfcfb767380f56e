/** The media of one participation: one peer connection, on which we always offer. Own tracks go out in sections of
 * their own; the others' come in through slots, and what flows in a slot changes without negotiation. */

import type { Sealing } from "../e2ee/sealing.ts";
import { randomId } from "../e2ee/sealing.ts";
import type { Kind, Limits, Published, SlotChange, Source } from "../signaling/messages.ts";
import { Refused, type RoomSocket } from "../signaling/socket.ts";
import { Coalescer } from "./coalescer.ts";
import { activity, encodings, layers, payloadTypes, tunedAnswer } from "./encodings.ts";

/** A room of nine needs no second negotiation. */
const FIRST_SLOTS = { audio: 5, video: 9 } as const;
/** A short loss of the network heals by itself. */
const RESTART_AFTER_MS = 2_500;
/** When this many restarts in a row came to nothing, the place in the room is taken anew. */
const MOST_RESTARTS = 4;

export interface Publication {
  readonly cid: string;
  readonly source: Source;
  readonly kind: Kind;
  readonly transceiver: RTCRtpTransceiver;
  readonly sealing: number | null;
  readonly size: { readonly width: number; readonly height: number };
  /** The server's id, once it has taken it. */
  track: string | null;
  /** The highest layer that anybody sees, where the server said so. */
  wanted: number | null | undefined;
}

export interface Slot {
  readonly kind: Kind;
  readonly transceiver: RTCRtpTransceiver;
  readonly stream: MediaStream;
  /** Its number with the worker that opens frames. */
  readonly opening: number | null;
  track: string | null;
}

export interface SessionEvents {
  /** A track flows in another slot, or in none. */
  slotsChanged(): void;
  /** Of the place that `track` has now the first frame was opened. `timestamp` is that of RTP, where it is known. */
  flowing(slot: Slot, track: string, timestamp: number | null): void;
  refusedFrames(slot: Slot, refusal: string, count: number): void;
  connection(state: RTCPeerConnectionState): void;
  /** The server does not take what was to be published. */
  publishRefused(source: Source, code: string): void;
  message(channel: "reliable" | "lossy", text: string): void;
  /** Nothing helps but joining anew. */
  hopeless(): void;
}

export class MediaSession {
  readonly peer: RTCPeerConnection;
  readonly reliable: RTCDataChannel;
  readonly lossy: RTCDataChannel;
  readonly publications = new Map<Source, Publication>();
  readonly slots: Slot[] = [];
  private readonly negotiation = new Coalescer(() => this.negotiate());
  private readonly early = new Map<string, string | null>();
  private restartTimer: ReturnType<typeof setTimeout> | null = null;
  private restarts = 0;
  private isClosed = false;

  constructor(
    private readonly socket: RoomSocket,
    private readonly sealing: Sealing | null,
    iceServers: RTCIceServer[],
    private readonly limits: Limits,
    private readonly events: SessionEvents,
  ) {
    this.peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    this.reliable = this.channel("reliable", { ordered: true });
    this.lossy = this.channel("lossy", { ordered: false, maxRetransmits: 0 });
    this.peer.onconnectionstatechange = () => this.connectionChanged();
    if (sealing !== null) sealing.events = this.frameEvents();
    this.addSlots(FIRST_SLOTS.audio, FIRST_SLOTS.video);
  }

  /** Ends when the server has taken it, or rejects with Refused. */
  async publish(source: Source, track: MediaStreamTrack): Promise<Publication> {
    const kind = track.kind as Kind;
    const { width = 1280, height = 720 } = track.getSettings();
    const transceiver = this.peer.addTransceiver(track, { direction: "sendonly", sendEncodings: encodings(source) });
    preferCodecs(transceiver, kind);
    const sealing = this.sealing?.sealingTransform(kind) ?? null;
    if (sealing !== null) transceiver.sender.transform = sealing.transform;
    const publication: Publication = {
      cid: randomId(),
      source,
      kind,
      transceiver,
      sealing: sealing?.publication ?? null,
      size: { width, height },
      track: null,
      wanted: undefined,
    };
    if (sealing !== null) this.sealing?.publish(sealing.publication, publication.cid);
    this.publications.set(source, publication);
    await this.renegotiate();
    return publication;
  }

  unpublish(source: Source): void {
    const publication = this.publications.get(source);
    if (publication === undefined) return;
    this.publications.delete(source);
    if (publication.track !== null) this.socket.tell("unpublish", { track: publication.track });
    publication.transceiver.stop();
    void this.renegotiate();
  }

  /** Of the worker's doing nothing changes: the key is that of the publication, and its counter goes on. */
  async replace(source: Source, track: MediaStreamTrack | null): Promise<void> {
    await this.publications.get(source)?.transceiver.sender.replaceTrack(track);
  }

  /** As many more as the server says would help, up to what it allows. Those that are on their way count. */
  async addMore(audio: number, video: number): Promise<void> {
    const coming = (kind: Kind): number =>
      this.slots.filter((one) => one.kind === kind && one.transceiver.mid === null).length;
    this.addSlots(audio - coming("audio"), video - coming("video"));
    await this.renegotiate();
  }

  private addSlots(audio: number, video: number): void {
    const has = (kind: Kind): number => this.slots.filter((slot) => slot.kind === kind).length;
    const more = { audio: this.limits.audio_slots - has("audio"), video: this.limits.video_slots - has("video") };
    for (let count = Math.min(audio, more.audio); count > 0; count -= 1) this.addSlot("audio");
    for (let count = Math.min(video, more.video); count > 0; count -= 1) this.addSlot("video");
  }

  async renegotiate(): Promise<void> {
    if (!this.isClosed) await this.negotiation.request();
  }

  /** What the server said of slots. One that is not negotiated yet is remembered until it is. */
  assign(changes: readonly SlotChange[]): void {
    for (const { mid, track } of changes) {
      const slot = this.slots.find((one) => one.transceiver.mid === mid);
      if (slot === undefined) this.early.set(mid, track);
      else slot.track = track;
    }
    this.events.slotsChanged();
  }

  /** The highest layer of our track that anybody sees. */
  async limit(track: string, wanted: number | null): Promise<void> {
    const publication = [...this.publications.values()].find((one) => one.track === track);
    if (publication === undefined) return;
    publication.wanted = wanted;
    await this.applyActivity(publication);
  }

  slotOf(track: string): Slot | undefined {
    return this.slots.find((slot) => slot.track === track);
  }

  close(): void {
    this.isClosed = true;
    if (this.restartTimer !== null) clearTimeout(this.restartTimer);
    this.peer.onconnectionstatechange = null;
    this.peer.close();
    this.sealing?.close();
  }

  private channel(label: "reliable" | "lossy", options: RTCDataChannelInit): RTCDataChannel {
    const channel = this.peer.createDataChannel(label, options);
    channel.onmessage = (event) => {
      if (typeof event.data === "string") this.events.message(label, event.data);
    };
    return channel;
  }

  private addSlot(kind: Kind): void {
    const transceiver = this.peer.addTransceiver(kind, { direction: "recvonly" });
    preferCodecs(transceiver, kind);
    const opening = this.sealing?.openingTransform(kind) ?? null;
    if (opening !== null) transceiver.receiver.transform = opening.transform;
    const stream = new MediaStream([transceiver.receiver.track]);
    this.slots.push({ kind, transceiver, stream, opening: opening?.slot ?? null, track: null });
  }

  private async negotiate(): Promise<void> {
    if (this.isClosed) return;
    await this.peer.setLocalDescription();
    const sent = [...this.publications.values()].filter((one) => one.transceiver.mid !== null);
    const received = (kind: Kind): number => this.slots.filter((slot) => slot.kind === kind).length;
    const sdp = this.peer.localDescription?.sdp ?? "";
    try {
      const answer = await this.socket.request("negotiate", {
        sdp,
        publish: sent.map((one) => this.announced(one)),
        receive: { audio: received("audio"), video: received("video") },
      });
      const sounds = new Map(
        sent.filter((one) => one.kind === "audio").map((one) => [one.transceiver.mid!, one.source]),
      );
      // Before a frame can come.
      this.sealing?.nameCodecs(payloadTypes(answer.sdp));
      await this.peer.setRemoteDescription({ type: "answer", sdp: tunedAnswer(answer.sdp, sounds) });
      for (const { cid, track } of answer.published) {
        for (const one of sent) if (one.cid === cid) one.track = track;
      }
      await Promise.all(sent.map((one) => this.applyActivity(one)));
      this.placeEarly();
    } catch (error) {
      await this.takeBack(error);
    }
  }

  /** A refused offer is as if it had never been; what was new in it is not tried again. A lost connection is no refusal:
   * the offer is made anew when it is back. */
  private async takeBack(error: unknown): Promise<void> {
    if (this.isClosed) return;
    if (this.peer.signalingState === "have-local-offer") await this.peer.setLocalDescription({ type: "rollback" });
    if (!(error instanceof Refused)) throw error;
    if (error.code === "connection_lost" || error.code === "no_answer") return;
    const refused = [...this.publications.values()].filter((one) => one.track === null);
    for (const one of refused) {
      this.publications.delete(one.source);
      one.transceiver.stop();
      this.events.publishRefused(one.source, error.code);
    }
    if (refused.length === 0) throw error;
    await this.negotiate();
  }

  private announced(one: Publication): Published {
    const simulcast = layers(one.source, one.size.width, one.size.height);
    return {
      mid: one.transceiver.mid!,
      cid: one.cid,
      kind: one.kind,
      source: one.source,
      encrypted: this.sealing !== null,
      ...(simulcast.length > 0 ? { layers: simulcast } : {}),
    };
  }

  private placeEarly(): void {
    if (this.early.size === 0) return;
    const changes = [...this.early].map(([mid, track]) => ({ mid, track, reason: "early" }));
    this.early.clear();
    this.assign(changes.filter(({ mid }) => this.slots.some((slot) => slot.transceiver.mid === mid)));
  }

  private async applyActivity(publication: Publication): Promise<void> {
    const { wanted, transceiver } = publication;
    if (wanted === undefined || transceiver.currentDirection !== "sendonly") return;
    const parameters = transceiver.sender.getParameters();
    const active = activity(parameters.encodings.length, wanted);
    if (parameters.encodings.every((one, place) => one.active === active[place])) return;
    parameters.encodings.forEach((one, place) => {
      one.active = active[place] ?? true;
    });
    await transceiver.sender.setParameters(parameters);
  }

  private connectionChanged(): void {
    const state = this.peer.connectionState;
    this.events.connection(state);
    if (this.restartTimer !== null) clearTimeout(this.restartTimer);
    this.restartTimer = null;
    if (state === "connected") this.restarts = 0;
    if (state === "failed") this.restart();
    if (state === "disconnected") this.restartTimer = setTimeout(() => this.restart(), RESTART_AFTER_MS);
  }

  private restart(): void {
    if (this.isClosed) return;
    this.restarts += 1;
    if (this.restarts > MOST_RESTARTS) {
      this.events.hopeless();
      return;
    }
    this.peer.restartIce();
    this.renegotiate().catch(() => this.events.hopeless());
    this.restartTimer = setTimeout(() => this.restart(), RESTART_AFTER_MS * 2 ** this.restarts);
  }

  private frameEvents(): Sealing["events"] {
    const named = (number: number): Slot | undefined => this.slots.find((slot) => slot.opening === number);
    return {
      flowing: (number, track, timestamp) => {
        const slot = named(number);
        if (slot?.track === track) this.events.flowing(slot, track, timestamp);
      },
      refused: (number, refusal, count) => {
        const slot = named(number);
        if (slot !== undefined) this.events.refusedFrames(slot, refusal, count);
      },
    };
  }
}

const CODECS: Readonly<Record<Kind, readonly string[]>> = {
  audio: ["audio/opus"],
  video: ["video/vp8", "video/vp9", "video/rtx"],
};

/** VP8 first: its simulcast is what every browser does well. Others cannot be sealed. */
function preferCodecs(transceiver: RTCRtpTransceiver, kind: Kind): void {
  const can = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const wanted = CODECS[kind].flatMap((name) => can.filter((codec) => codec.mimeType.toLowerCase() === name));
  if (wanted.length > 0) transceiver.setCodecPreferences(wanted);
}
