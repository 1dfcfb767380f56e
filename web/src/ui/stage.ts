/** The tiles, where they stand, and how large each is shown: the server is told, and sends no more than that. */

import type { TrackFacts } from "../media/facts.ts";
import { attribute, h, setText } from "./dom.ts";
import { grid, type Rectangle, type Size, spotlight } from "./layout.ts";
import { float, type TileActions, TileView } from "./tile.ts";
import { type Shown, spotlit, type Tile } from "./tiles.ts";
import { TEXTS } from "../texts.ts";

export interface StageActions extends TileActions {
  /** By track, in device pixels: those that are shown now. */
  sizes(shown: ReadonlyMap<string, Size>): void;
}

export class Stage {
  readonly element = h("section", { class: "stage", "aria-label": "Participants" });
  private readonly more = h("p", { class: "more", hidden: true });
  private readonly views = new Map<string, TileView>();
  private shown: Shown = { tiles: [], hidden: 0 };
  private readonly watcher = new ResizeObserver(() => this.arrange());

  constructor(private readonly actions: StageActions) {
    this.element.append(this.more);
    this.watcher.observe(this.element);
  }

  view(key: string): TileView | undefined {
    return this.views.get(key);
  }

  update(shown: Shown, facts: (tile: Tile) => TrackFacts | null): void {
    this.shown = shown;
    const keys = new Set(shown.tiles.map((tile) => tile.key));
    for (const [key, view] of this.views) {
      if (keys.has(key)) continue;
      view.remove();
      this.views.delete(key);
    }
    for (const tile of shown.tiles) {
      let view = this.views.get(tile.key);
      if (view === undefined) {
        view = new TileView(tile.key, this.actions);
        this.views.set(tile.key, view);
        this.element.insertBefore(view.element, this.more);
      }
      view.update(tile, facts(tile));
    }
    this.more.hidden = shown.hidden === 0;
    setText(this.more, TEXTS.notes.more(shown.hidden));
    attribute(this.element, "data-tiles", shown.tiles.length);
    this.arrange();
  }

  react(participant: string, emoji: string): void {
    const view = this.views.get(`${participant} camera`);
    if (view !== undefined) float(view, emoji);
  }

  close(): void {
    this.watcher.disconnect();
    for (const view of this.views.values()) view.remove();
    this.views.clear();
  }

  private arrange(): void {
    const stage = { width: this.element.clientWidth, height: this.element.clientHeight };
    if (stage.width === 0 || stage.height === 0) return;
    const large = spotlit(this.shown.tiles);
    const tiles = large === null ? this.shown.tiles : [large, ...this.shown.tiles.filter((one) => one !== large)];
    const places: readonly Rectangle[] = large === null ? grid(tiles.length, stage) : spotlight(tiles.length, stage);
    const sizes = new Map<string, Size>();
    tiles.forEach((tile, place) => {
      const at = places[place]!;
      this.views.get(tile.key)?.place(at);
      if (tile.track === null || tile.isSelf) return;
      const ratio = devicePixelRatio || 1;
      sizes.set(tile.track, { width: Math.round(at.width * ratio), height: Math.round(at.height * ratio) });
    });
    this.actions.sizes(sizes);
  }
}
