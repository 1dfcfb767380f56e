/** A meeting from joining to leaving: what the socket says, what media does, and what is on the screen. */

import { canSeal, Sealing } from "./e2ee/sealing.ts";
import { FactsReader, type TrackFacts } from "./media/facts.ts";
import { MediaSession, type Slot } from "./media/session.ts";
import { happened, nameOf } from "./happenings.ts";
import { OwnMedia } from "./own.ts";
import { Pictures } from "./pictures.ts";
import type { Joined, Notice, Source } from "./signaling/messages.ts";
import { applied, entered, type RoomState } from "./signaling/room.ts";
import { Refused, RoomSocket, type SocketState } from "./signaling/socket.ts";
import { Talk } from "./talk.ts";
import { DEVICE_PROBLEMS, TEXTS } from "./texts.ts";
import type { Prepared } from "./ui/preview.ts";
import { shownTiles, type Tile } from "./ui/tiles.ts";
import { MeetingView } from "./ui/view.ts";
import { Wanting } from "./wanting.ts";

const CLIENT = { name: "secureconnect-web", version: "1" };
const STATS_MS = 1000;
/** Why a connection is lost for good. */
const GONE: ReadonlySet<string> = new Set(["closed", "handshake_failed"]);
/** Things that change together are drawn together. */
const DRAW_MS = 40;

export interface MeetingEvents {
  /** On the screen from now on. */
  entered(view: HTMLElement): void;
  waiting(): void;
  /** For good; `detail` is what the server says of it. */
  ended(code: string, detail: string): void;
  left(): void;
}

/** What there is of one time of joining. */
interface Place {
  readonly session: MediaSession;
  readonly talk: Talk;
  readonly reader: FactsReader;
}

export class Meeting {
  private readonly socket: RoomSocket;
  private readonly own: OwnMedia;
  private readonly view: MeetingView;
  private readonly wanting: Wanting;
  private readonly pictures = new Pictures();
  private state: RoomState | null = null;
  private place: Place | null = null;
  private sealing: Sealing | null = null;
  private facts: ReadonlyMap<string, TrackFacts> = new Map();
  private pinned: string | null = null;
  private isShown = false;
  private drawing: ReturnType<typeof setTimeout> | null = null;
  private readonly stats: ReturnType<typeof setInterval>;
  private readonly pageLeft = (): void => this.socket.tell("leave", {});

  constructor(
    address: string,
    token: string,
    private readonly secret: CryptoKey | null,
    private readonly prepared: Prepared,
    private readonly events: MeetingEvents,
  ) {
    this.socket = new RoomSocket(address, token, CLIENT, {
      introduce: () => this.introduce(),
      state: (state) => this.socketChanged(state),
      joined: (joined) => this.joined(joined),
      resumed: () => this.resumed(),
      notice: (notice) => this.notice(notice),
      ended: (code, detail) => this.over(() => events.ended(code, detail)),
    });
    this.own = new OwnMedia(this.socket, {
      changed: () => this.draw(),
      deviceFailed: (kind, error) => this.deviceFailed(kind, error),
    });
    this.own.take("microphone", prepared.microphone);
    this.own.take("camera", prepared.camera);
    this.wanting = new Wanting(this.socket, () => this.picturesOfOthers());
    this.view = new MeetingView(secret !== null, {
      pin: (key) => this.pin(key),
      sizes: (sizes) => this.wanting.shown(sizes),
      toggle: (what) => (what === "hand" ? this.raiseHand() : void this.own.toggle(what)),
      react: (emoji) => this.react(emoji),
      say: (text) => this.say(text),
      leave: () => void this.leave(),
    });
    this.stats = setInterval(() => void this.readStats(), STATS_MS);
    addEventListener("pagehide", this.pageLeft);
  }

  start(): void {
    this.socket.start();
  }

  /** Keys hang on the sender id, so each time of joining has its own worker. */
  private async introduce(): Promise<{ kid_prefix: number; sender: string } | null> {
    this.closePlace();
    if (this.secret === null) return null;
    if (!canSeal()) throw new Error("no encoded transforms");
    this.sealing = await Sealing.start(this.secret);
    return { kid_prefix: this.sealing.kidPrefix, sender: this.sealing.sender };
  }

  private joined(joined: Joined): void {
    if (this.secret === null && joined.room.mode === "secure") {
      this.socket.close();
      this.over(() => this.events.ended("no_secret", ""));
      return;
    }
    this.state = entered(joined);
    const session = this.openSession(joined);
    const talk = new Talk(this.socket, session, this.sealing, joined.limits.message_bytes);
    this.place = { session, talk, reader: new FactsReader() };
    const { name } = this.prepared;
    const had = joined.participant;
    if (name !== "" && name !== had.name) void this.callMyself(name, had.metadata);
    this.own.connect(session).catch((error: unknown) => this.mediaFailed(session, error));
    if (!this.isShown) this.events.entered(this.view.element);
    this.isShown = true;
    this.draw();
  }

  /** The server tells the others. */
  private async callMyself(name: string, metadata: string | null): Promise<void> {
    try {
      await this.socket.request("set_metadata", { metadata, name });
    } catch {
      return;
    }
    if (this.state !== null) this.state = { ...this.state, self: { ...this.state.self, name } };
    this.draw();
  }

  private openSession(joined: Joined): MediaSession {
    const session = new MediaSession(this.socket, this.sealing, joined.ice_servers, joined.limits, {
      slotsChanged: () => this.slotsChanged(),
      flowing: (slot, track, timestamp) => this.flowing(slot, track, timestamp),
      refusedFrames: (slot, refusal, count) => {
        if (this.pictures.framesRefused(slot, refusal, count)) this.draw();
      },
      connection: (state) => this.mediaChanged(state),
      publishRefused: (source, code) => this.publishRefused(source, code),
      message: (_, text) => this.channelSaid(text),
      hopeless: () => this.socket.startOver(),
    });
    return session;
  }

  /** What was asked on the socket that was lost may have been answered on it, or never have arrived. */
  private resumed(): void {
    this.own.tellAll();
    if (this.state?.self.hand_raised) this.socket.tell("raise_hand", { raised: true });
    this.place?.session.renegotiate().catch(() => this.socket.startOver());
    this.wanting.forget();
    this.wanting.tell();
  }

  private notice(notice: Notice): void {
    if (this.state === null) return;
    const before = this.state;
    this.state = applied(before, notice);
    const word = happened(before, notice);
    if (word !== null) this.view.notes.say(word);
    const session = this.place?.session;
    switch (notice.type) {
      case "track_unpublished":
        this.pictures.forget(notice.data.track);
        break;
      case "track_published":
        this.assignKeys();
        break;
      case "track_muted":
        this.trackMuted(notice.data.track, notice.data.muted, notice.data.by);
        break;
      case "slots":
        session?.assign(notice.data.slots);
        break;
      case "quality":
        // No restart of ICE brings back what has said goodbye, or never came about.
        if (notice.data.connection === "lost" && GONE.has(notice.data.why)) this.socket.startOver();
        break;
      case "more_slots":
        session?.addMore(notice.data.audio, notice.data.video).catch(() => undefined);
        break;
      case "layers":
        session?.limit(notice.data.track, notice.data.wanted).catch(() => undefined);
        break;
      case "data":
        void this.said(notice.data.from, notice.data.payload);
        break;
      case "reaction":
        if (notice.data.participant !== before.self.id)
          this.view.stage.react(notice.data.participant, notice.data.emoji);
        break;
      default:
    }
    this.draw();
  }

  private slotsChanged(): void {
    this.assignKeys();
    this.draw();
  }

  private assignKeys(): void {
    if (this.state !== null && this.place !== null) this.pictures.assign(this.state, this.place.session, this.sealing);
  }

  private flowing(slot: Slot, track: string, timestamp: number | null): void {
    this.pictures.flowing(slot, track, timestamp);
    for (const tile of this.tiles().tiles) if (tile.track === track) this.view.stage.view(tile.key)?.reveal(timestamp);
    this.draw();
  }

  private trackMuted(track: string, muted: boolean, by: string): void {
    if (!muted || by === "publisher") return;
    const mine = [...(this.place?.session.publications.values() ?? [])].find((one) => one.track === track);
    if (mine === undefined) return;
    this.own.silenced(mine.source);
  }

  private publishRefused(source: Source, code: string): void {
    this.own.refused(source);
    this.view.notes.say(code === "not_granted" ? TEXTS.notes.notGranted[source] : TEXTS.notes.publishFailed);
  }

  private mediaFailed(session: MediaSession, error: unknown): void {
    if (session !== this.place?.session) return;
    if (error instanceof Refused) {
      this.view.notes.say(`${TEXTS.notes.publishFailed} (${error.code})`);
      return;
    }
    this.socket.startOver();
  }

  private deviceFailed(kind: string, error: unknown): void {
    // Whoever closes the question of what to share has decided, and needs no telling.
    if (kind === "screen" && error instanceof DOMException && error.name === "NotAllowedError") return;
    const problem = error instanceof DOMException ? DEVICE_PROBLEMS[error.name] : undefined;
    this.view.notes.say(problem === undefined ? TEXTS.notes.publishFailed : `${problem.cause} ${problem.cure}`);
  }

  private mediaChanged(state: RTCPeerConnectionState): void {
    this.view.connection(state);
    if (state === "disconnected" || state === "failed") this.view.notes.stand("media", TEXTS.notes.mediaLost);
    if (state === "connected") this.view.notes.clear("media");
  }

  private socketChanged(state: SocketState): void {
    if (state === "waiting") this.events.waiting();
    if (state === "reconnecting") this.view.notes.stand("socket", TEXTS.notes.reconnecting);
    if (state === "connected" && this.view.notes.clear("socket")) this.view.notes.say(TEXTS.notes.back);
  }

  private channelSaid(text: string): void {
    let said: { readonly from?: unknown; readonly payload?: unknown };
    try {
      said = JSON.parse(text) as typeof said;
    } catch {
      return;
    }
    if (typeof said.from === "string" && typeof said.payload === "string") void this.said(said.from, said.payload);
  }

  private async said(from: string, payload: string): Promise<void> {
    const who = this.state?.participants.get(from);
    if (who === undefined) return;
    const text = (await this.place?.talk.heard(payload, who.e2ee?.sender ?? null)) ?? null;
    if (text !== null) this.view.said(nameOf(who), text, false);
  }

  private async say(text: string): Promise<void> {
    if (this.place === null || this.state === null) throw new Refused("connection_lost", "");
    await this.place.talk.say(text);
    this.view.said(this.state.self.name || TEXTS.tile.you, text, true);
  }

  private react(emoji: string): void {
    if (this.state === null) return;
    this.socket.tell("reaction", { emoji });
    this.view.stage.react(this.state.self.id, emoji);
  }

  private raiseHand(): void {
    if (this.state === null) return;
    const raised = !this.state.self.hand_raised;
    this.socket.tell("raise_hand", { raised });
    this.state = { ...this.state, self: { ...this.state.self, hand_raised: raised } };
    this.draw();
  }

  private pin(key: string): void {
    const tile = this.tiles().tiles.find((one) => one.key === key);
    const before = this.tiles().tiles.find((one) => one.key === this.pinned);
    this.pinned = this.pinned === key ? null : key;
    if (before?.track && !before.isSelf) this.socket.tell("pin", { track: before.track, pinned: false });
    if (this.pinned !== null && tile?.track && !tile.isSelf)
      this.socket.tell("pin", { track: tile.track, pinned: true });
    this.draw();
  }

  /** Null while the server could send none. */
  private picturesOfOthers(): readonly string[] | null {
    const { state, place } = this;
    if (state === null || place?.session.peer.connectionState !== "connected") return null;
    const theirs = [...state.tracks.values()].filter(
      (one) => one.kind === "video" && one.participant !== state.self.id,
    );
    return theirs.map((one) => one.id);
  }

  private async readStats(): Promise<void> {
    const { place } = this;
    if (place === null) return;
    const report = await place.session.peer.getStats();
    if (place !== this.place) return;
    this.facts = place.reader.read(report.values());
    this.draw();
  }

  private tiles(): ReturnType<typeof shownTiles> {
    if (this.state === null) return { tiles: [], hidden: 0 };
    return shownTiles(this.state, {
      sealed: this.secret !== null,
      pinned: this.pinned,
      sending: this.own.sending,
      live: this.pictures.live,
      refused: this.pictures.refused,
      nameless: TEXTS.preview.nameMissing,
    });
  }

  private draw(): void {
    this.drawing ??= setTimeout(() => {
      this.drawing = null;
      if (this.state !== null) this.drawNow(this.state);
    }, DRAW_MS);
  }

  private drawNow(state: RoomState): void {
    const shown = this.tiles();
    const sending = this.own.sending;
    const on = {
      microphone: sending.has("microphone"),
      camera: sending.has("camera"),
      screen: sending.has("screen"),
      hand: state.self.hand_raised,
    };
    const canShare = "getDisplayMedia" in (navigator.mediaDevices ?? {});
    this.view.update({ room: state.room.name, people: 1 + state.participants.size, shown, on, canShare }, (tile) =>
      this.factsOf(tile),
    );
    for (const tile of shown.tiles) this.showPicture(tile);
    for (const slot of this.place?.session.slots ?? []) this.hearSlot(slot);
    this.wanting.tell();
  }

  private showPicture(tile: Tile): void {
    const view = this.view.stage.view(tile.key);
    if (view === undefined) return;
    const source: Source = tile.isScreen ? "screen" : "camera";
    const slot = tile.track === null || tile.isSelf ? undefined : this.place?.session.slotOf(tile.track);
    const isLive = tile.picture === "live";
    const stream = tile.isSelf ? this.own.stream(source) : (slot?.stream ?? null);
    const shown = isLive ? stream : null;
    if (shown === view.video.srcObject) return;
    view.show(shown);
    if (shown !== null) view.reveal(tile.track === null ? null : this.pictures.since(tile.track));
  }

  private hearSlot(slot: Slot): void {
    const { mid } = slot.transceiver;
    if (slot.kind === "audio" && mid !== null) this.view.hear(mid, slot.stream, slot.track);
  }

  private factsOf(tile: Tile): TrackFacts | null {
    const session = this.place?.session;
    const source: Source = tile.isScreen ? "screen" : "camera";
    const transceiver = tile.isSelf
      ? session?.publications.get(source)?.transceiver
      : tile.track === null
        ? undefined
        : session?.slotOf(tile.track)?.transceiver;
    return (transceiver?.mid != null && this.facts.get(transceiver.mid)) || null;
  }

  private async leave(): Promise<void> {
    await this.socket.leave();
    this.over(() => this.events.left());
  }

  private closePlace(): void {
    this.place?.session.close();
    this.place = null;
    // A worker that was started for a join that did not come about.
    this.sealing?.close();
    this.sealing = null;
    this.pictures.clear();
    this.wanting.forget();
    this.view.silence();
  }

  private over(then: () => void): void {
    this.wanting.close();
    removeEventListener("pagehide", this.pageLeft);
    clearInterval(this.stats);
    if (this.drawing !== null) clearTimeout(this.drawing);
    this.state = null;
    this.closePlace();
    this.own.close();
    this.view.close();
    then();
  }
}
