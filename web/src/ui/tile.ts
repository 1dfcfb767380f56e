/** One tile: a picture or initials, and around it what is to be known. What a test or a host's script wants to read
 * stands in `data-` attributes of its element. */

import { TEXTS } from "../texts.ts";
import type { TrackFacts } from "../media/facts.ts";
import { attribute, h, icon, setText } from "./dom.ts";
import type { Rectangle } from "./layout.ts";
import type { Tile } from "./tiles.ts";

const T = TEXTS.tile;

export interface TileActions {
  pin(key: string): void;
}

export class TileView {
  readonly element: HTMLElement;
  readonly video: HTMLVideoElement;
  private readonly initials = h("span", { class: "initials", "aria-hidden": "true" });
  private readonly note = h("p", { class: "tile-note" });
  private readonly name = h("span", { class: "name" });
  private readonly muted = h(
    "span",
    { class: "muted-sign", role: "img", "aria-label": T.muted },
    icon("microphoneOff"),
  );
  private readonly hand = h("span", { class: "hand", role: "img", "aria-label": T.hand }, "✋");
  private readonly pin: HTMLButtonElement;
  private readonly badge: HTMLButtonElement;
  private readonly badgeText = h("span");
  private readonly details = h("dl", { class: "details", hidden: true });
  private readonly rows = new Map<string, HTMLElement>();
  private revealing: number | null = null;

  constructor(
    readonly key: string,
    actions: TileActions,
  ) {
    this.video = h("video", { class: "picture", autoplay: true, playsinline: true });
    this.video.muted = true;
    this.pin = h("button", { class: "tile-button pin", type: "button", click: () => actions.pin(key) }, icon("pin"));
    this.badge = h(
      "button",
      { class: "tile-button badge", type: "button", "aria-expanded": "false", click: () => this.toggleDetails() },
      icon("bars"),
      this.badgeText,
    );
    const label = h("div", { class: "label" }, this.muted, this.name, this.hand);
    this.element = h(
      "article",
      { class: "tile" },
      h("div", { class: "instead" }, this.initials, this.note),
      this.video,
      h("div", { class: "tile-top" }, this.pin, this.badge),
      this.details,
      label,
    );
  }

  place(at: Rectangle): void {
    const style = this.element.style;
    style.setProperty("--x", `${at.left}px`);
    style.setProperty("--y", `${at.top}px`);
    style.setProperty("--w", `${at.width}px`);
    style.setProperty("--h", `${at.height}px`);
    attribute(this.element, "data-small", at.width < 200 || at.height < 130);
  }

  /** The picture is shown from the first frame that is surely of this track: a slot still shows the last one of whoever
   * had it before. `timestamp` is that of RTP, where browsers say it. */
  reveal(timestamp: number | null): void {
    if (this.revealing !== null) this.video.cancelVideoFrameCallback(this.revealing);
    const seen = (_: number, frame: VideoFrameCallbackMetadata): void => {
      this.revealing = null;
      if (timestamp !== null && frame.rtpTimestamp !== undefined && isBefore(frame.rtpTimestamp, timestamp)) {
        this.revealing = this.video.requestVideoFrameCallback(seen);
        return;
      }
      attribute(this.element, "data-revealed", true);
    };
    this.revealing = this.video.requestVideoFrameCallback(seen);
  }

  show(stream: MediaStream | null): void {
    if (this.video.srcObject === stream) return;
    attribute(this.element, "data-revealed", false);
    if (this.revealing !== null) this.video.cancelVideoFrameCallback(this.revealing);
    this.revealing = null;
    this.video.srcObject = stream;
  }

  update(tile: Tile, facts: TrackFacts | null): void {
    const shownName = tile.isScreen ? T.screenOf(tile.name) : tile.name;
    setText(this.name, tile.isSelf ? `${shownName} (${T.you})` : shownName);
    setText(this.initials, initialsOf(tile.name));
    this.element.style.setProperty("--hue", String(hueOf(tile.participant)));
    attribute(this.element, "aria-label", this.spoken(tile, shownName));
    attribute(this.element, "data-participant", tile.participant);
    attribute(this.element, "data-identity", tile.identity);
    attribute(this.element, "data-track", tile.track);
    attribute(this.element, "data-source", tile.isScreen ? "screen" : "camera");
    attribute(this.element, "data-state", tile.picture);
    attribute(this.element, "data-self", tile.isSelf);
    attribute(this.element, "data-speaking", tile.level > 0);
    attribute(this.element, "data-muted", tile.isMuted);
    attribute(this.element, "data-connection", tile.connection);
    this.element.style.setProperty("--level", tile.level.toFixed(2));
    this.muted.hidden = !tile.isMuted || tile.isScreen;
    attribute(this.muted, "aria-label", (tile.mutedBy && T.mutedBy[tile.mutedBy]) || T.muted);
    this.hand.hidden = !tile.handRaised;
    attribute(this.pin, "aria-label", tile.isPinned ? T.unpin(shownName) : T.pin(shownName));
    attribute(this.pin, "aria-pressed", tile.isPinned ? "true" : "false");
    setText(this.note, noteOf(tile));
    attribute(this.badge, "aria-label", T.details(shownName));
    this.badge.hidden = tile.picture !== "live";
    this.describe(tile, facts);
  }

  remove(): void {
    this.show(null);
    this.element.remove();
  }

  private spoken(tile: Tile, shownName: string): string {
    const parts = [
      shownName,
      tile.isSelf ? T.you : "",
      tile.isMuted ? T.muted : "",
      tile.handRaised ? T.hand : "",
      noteOf(tile),
    ];
    return parts.filter((part) => part !== "").join(", ");
  }

  private toggleDetails(): void {
    this.details.hidden = !this.details.hidden;
    attribute(this.badge, "aria-expanded", this.details.hidden ? "false" : "true");
  }

  private describe(tile: Tile, facts: TrackFacts | null): void {
    const layer = tile.quality?.layer ?? null;
    attribute(this.element, "data-layer", layer);
    attribute(this.element, "data-why", tile.quality?.why);
    attribute(this.element, "data-frames", facts?.frames);
    attribute(this.element, "data-width", facts?.width);
    attribute(this.element, "data-height", facts?.height);
    attribute(this.element, "data-fps", facts === null ? null : Math.round(facts.fps));
    attribute(this.element, "data-bitrate", facts === null ? null : Math.round(facts.bitrate));
    setText(this.badgeText, facts?.height ? `${facts.height}p` : "");
    this.row(T.facts.layer, layer === null ? null : (T.sharpness[layer] ?? String(layer)));
    this.row(T.facts.size, facts?.width ? `${facts.width} × ${facts.height}` : null);
    this.row(T.facts.fps, facts === null ? null : facts.fps.toFixed(0));
    this.row(T.facts.bitrate, facts === null ? null : `${(facts.bitrate / 1000).toFixed(0)} kbit/s`);
    this.row(T.facts.loss, facts?.lost == null ? null : String(facts.lost));
    this.row(T.facts.why, whyOf(tile));
    this.row(T.facts.connection, tile.connection === null ? null : TEXTS.connection[tile.connection]);
  }

  private row(title: string, value: string | null): void {
    let cell = this.rows.get(title);
    if (cell === undefined) {
      cell = h("dd");
      this.rows.set(title, cell);
      this.details.append(h("div", {}, h("dt", {}, title), cell));
    }
    cell.parentElement!.hidden = value === null;
    setText(cell, value ?? "");
  }
}

/** Reaction that floats over a tile for a moment. */
export function float(tile: TileView, emoji: string): void {
  const bubble = h("span", { class: "bubble", role: "img", "aria-label": emoji }, emoji);
  tile.element.append(bubble);
  bubble.addEventListener("animationend", () => bubble.remove());
}

function noteOf(tile: Tile): string {
  if (tile.picture === "coming") return T.waiting;
  if (tile.picture === "refused") return tile.isEncrypted ? T.undecryptable : T.clear;
  return "";
}

function whyOf(tile: Tile): string | null {
  if (tile.quality === null) return null;
  const words = TEXTS.why[tile.quality.why] ?? tile.quality.why;
  return tile.quality.detail ? `${words} (${tile.quality.detail})` : words;
}

export function initialsOf(name: string): string {
  const words = name
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
  const first = [...(words[0] ?? "?")][0] ?? "?";
  const last = words.length > 1 ? ([...words[words.length - 1]!][0] ?? "") : "";
  return (first + last).toLocaleUpperCase();
}

/** The same person has the same colour on every screen. */
export function hueOf(id: string): number {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.codePointAt(0)!) % 360;
  // Ids that are alike shall not look alike.
  return (sum * 137) % 360;
}

/** In the arithmetic of 32 bits, in which timestamps wrap. */
function isBefore(one: number, other: number): boolean {
  return ((one - other) | 0) < 0;
}
