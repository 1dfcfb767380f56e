/** Tells the server how large each picture is shown, a moment after that has changed; and that none is, once nobody has
 * looked at the page for a while. */

import { Wants } from "./media/wants.ts";
import type { RoomSocket } from "./signaling/socket.ts";
import type { Size } from "./ui/layout.ts";

const SETTLE_MS = 250;
/** A tab that is looked away from for a moment keeps its pictures. */
const HIDDEN_MS = 4000;

export class Wanting {
  private readonly wants = new Wants();
  private sizes: ReadonlyMap<string, Size> = new Map();
  private isHidden = false;
  private telling: ReturnType<typeof setTimeout> | null = null;
  private hiding: ReturnType<typeof setTimeout> | null = null;
  private readonly visibilityChanged = (): void => this.watchVisibility();

  /** `known` are all tracks of pictures that could be shown; null while there is nobody to tell. */
  constructor(
    private readonly socket: RoomSocket,
    private readonly known: () => readonly string[] | null,
  ) {
    document.addEventListener("visibilitychange", this.visibilityChanged);
  }

  shown(sizes: ReadonlyMap<string, Size>): void {
    this.sizes = sizes;
    this.tell();
  }

  tell(): void {
    this.telling ??= setTimeout(() => {
      this.telling = null;
      this.tellNow();
    }, SETTLE_MS);
  }

  /** The server knows nothing of it any more. */
  forget(): void {
    this.wants.forget();
  }

  close(): void {
    document.removeEventListener("visibilitychange", this.visibilityChanged);
    for (const timer of [this.telling, this.hiding]) if (timer !== null) clearTimeout(timer);
  }

  private tellNow(): void {
    const known = this.known();
    if (known === null) return;
    for (const { track, size } of this.wants.due(this.isHidden ? new Map() : this.sizes, known)) {
      if (size === null) this.socket.tell("unwant", { track });
      else this.socket.tell("want", { track, ...size });
    }
  }

  private watchVisibility(): void {
    if (this.hiding !== null) clearTimeout(this.hiding);
    const isHidden = document.visibilityState === "hidden";
    const change = (): void => {
      this.isHidden = isHidden;
      this.tell();
    };
    this.hiding = setTimeout(change, isHidden ? HIDDEN_MS : 0);
  }
}
