/** What one sends oneself: which tracks there are, and whether they are on. It outlives a lost place in the room. */

import { capture, captureScreen, type DeviceKind } from "./devices.ts";
import type { MediaSession } from "./media/session.ts";
import type { Source } from "./signaling/messages.ts";
import type { RoomSocket } from "./signaling/socket.ts";

export interface OwnEvents {
  changed(): void;
  deviceFailed(kind: DeviceKind | "screen", error: unknown): void;
}

/** In this order: sound first, for it must not wait for the rest. */
const ORDER: readonly Source[] = ["microphone", "camera", "screen", "screen_audio"];

export class OwnMedia {
  private readonly tracks = new Map<Source, MediaStreamTrack>();
  private readonly streams = new Map<Source, MediaStream>();
  private session: MediaSession | null = null;
  private readonly busy = new Set<DeviceKind | "screen">();

  constructor(
    private readonly socket: RoomSocket,
    private readonly events: OwnEvents,
  ) {}

  take(source: Source, track: MediaStreamTrack | null): void {
    const before = this.tracks.get(source);
    if (before !== undefined) {
      before.onended = null;
      before.stop();
    }
    this.streams.delete(source);
    if (track === null) {
      this.tracks.delete(source);
      return;
    }
    this.tracks.set(source, track);
    if (track.kind === "video") this.streams.set(source, new MediaStream([track]));
    track.onended = () => this.ended(source);
  }

  /** Those that are on. */
  get sending(): ReadonlySet<Source> {
    return new Set([...this.tracks].filter(([, track]) => track.enabled).map(([source]) => source));
  }

  stream(source: Source): MediaStream | null {
    return this.streams.get(source) ?? null;
  }

  /** Everything there is, over a connection that is new. Without anything it is negotiated to receive. */
  async connect(session: MediaSession): Promise<void> {
    this.session = session;
    let sent = false;
    for (const source of ORDER) {
      const track = this.tracks.get(source);
      if (track === undefined || session !== this.session) continue;
      sent = true;
      await session.publish(source, track);
      if (!track.enabled) this.tellMuted(source, true);
    }
    if (!sent) await session.renegotiate();
  }

  async toggle(kind: DeviceKind | "screen"): Promise<void> {
    // A device takes a moment; a second press in it would ask for a second one.
    if (this.busy.has(kind)) return;
    this.busy.add(kind);
    try {
      if (kind === "screen") await this.toggleScreen();
      else if (kind === "camera") await this.toggleCamera();
      else await this.toggleMicrophone();
    } catch (error) {
      this.events.deviceFailed(kind, error);
    } finally {
      this.busy.delete(kind);
      this.events.changed();
    }
  }

  /** Which are on and which are not, once more. */
  tellAll(): void {
    for (const source of this.session?.publications.keys() ?? []) this.tellMuted(source, !this.sending.has(source));
  }

  /** Somebody else decided so. */
  silenced(source: Source): void {
    const track = this.tracks.get(source);
    if (track === undefined) return;
    if (source === "microphone") track.enabled = false;
    else this.stop(source);
    this.events.changed();
  }

  /** The server did not take it. */
  refused(source: Source): void {
    this.take(source, null);
    this.events.changed();
  }

  close(): void {
    for (const source of ORDER) this.take(source, null);
  }

  private async toggleMicrophone(): Promise<void> {
    const track = this.tracks.get("microphone");
    if (track === undefined) {
      this.take("microphone", await capture("microphone", null));
      await this.publish("microphone");
      return;
    }
    track.enabled = !track.enabled;
    this.tellMuted("microphone", !track.enabled);
  }

  /** A camera that is off is released, so that its light goes out. */
  private async toggleCamera(): Promise<void> {
    if (this.tracks.has("camera")) {
      this.stop("camera");
      return;
    }
    const track = await capture("camera", null);
    this.take("camera", track);
    if (this.session?.publications.has("camera")) {
      await this.session.replace("camera", track);
      this.tellMuted("camera", false);
    } else {
      await this.publish("camera");
    }
  }

  private async toggleScreen(): Promise<void> {
    if (this.tracks.has("screen")) {
      this.stopScreen();
      return;
    }
    const { video, audio } = await captureScreen();
    this.take("screen", video);
    this.take("screen_audio", audio);
    this.events.changed();
    await this.publish("screen");
    if (audio !== null) await this.publish("screen_audio");
  }

  private stop(source: Source): void {
    this.take(source, null);
    void this.session?.replace(source, null);
    this.tellMuted(source, true);
  }

  private stopScreen(): void {
    for (const source of ["screen", "screen_audio"] as const) {
      this.take(source, null);
      this.session?.unpublish(source);
    }
  }

  private async publish(source: Source): Promise<void> {
    const track = this.tracks.get(source);
    if (track !== undefined) await this.session?.publish(source, track);
  }

  private tellMuted(source: Source, muted: boolean): void {
    const track = this.session?.publications.get(source)?.track;
    if (track != null) this.socket.tell("mute", { track, muted });
  }

  /** Unplugged, or stopped where the browser says that the screen is shared. */
  private ended(source: Source): void {
    if (source === "screen" || source === "screen_audio") this.stopScreen();
    else this.stop(source);
    this.events.changed();
  }
}
