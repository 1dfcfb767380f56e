/** Short notes that are seen for a moment and read aloud. */

import { h } from "./dom.ts";

const SHOWN_MS = 6000;
/** Of a crowd that comes in at once nobody reads each name. */
const MOST = 3;

export class Notes {
  readonly element = h("div", { class: "notes", role: "status", "aria-live": "polite" });
  private readonly standing = new Map<string, HTMLElement>();

  say(text: string): void {
    const note = h("p", { class: "note" }, text);
    this.element.append(note);
    setTimeout(() => note.remove(), SHOWN_MS);
    const passing = [...this.element.children].filter((one) => !one.hasAttribute("data-standing"));
    for (const one of passing.slice(0, -MOST)) one.remove();
  }

  /** Stays until `clear`. */
  stand(name: string, text: string): void {
    if (this.standing.has(name)) return;
    const note = h("p", { class: "note", "data-standing": name }, text);
    this.standing.set(name, note);
    this.element.prepend(note);
  }

  clear(name: string): boolean {
    this.standing.get(name)?.remove();
    return this.standing.delete(name);
  }
}
