/** The meeting as one sees it: what is on the screen follows what it is given, and tells what was pressed. */

import type { TrackFacts } from "../media/facts.ts";
import { TEXTS } from "../texts.ts";
import { Chat, type ChatActions } from "./chat.ts";
import { type ControlActions, Controls, type ControlState } from "./controls.ts";
import { attribute, h, setText } from "./dom.ts";
import { Notes } from "./notes.ts";
import { closeOutside, sealSign } from "./seal.ts";
import { Stage, type StageActions } from "./stage.ts";
import type { Shown, Tile } from "./tiles.ts";

export interface ViewActions extends StageActions, Omit<ControlActions, "chat">, Omit<ChatActions, "close"> {}

export interface ViewState {
  readonly room: string;
  readonly people: number;
  readonly shown: Shown;
  readonly on: ControlState["on"];
  readonly canShare: boolean;
}

export class MeetingView {
  readonly element: HTMLElement;
  readonly stage: Stage;
  readonly notes = new Notes();
  private readonly title = h("h1", { class: "room" });
  private readonly people = h("span", { class: "people" });
  private readonly controls: Controls;
  private readonly chat: Chat;
  private readonly sounds = new Map<string, HTMLAudioElement>();
  private readonly speakers = h("div", { hidden: true });
  private readonly endOutside: () => void;
  private unread = 0;
  private last: ViewState | null = null;

  constructor(sealed: boolean, actions: ViewActions) {
    this.stage = new Stage(actions);
    this.chat = new Chat({ say: (text) => actions.say(text), close: () => this.openChat(false) });
    this.controls = new Controls({
      toggle: (what) => actions.toggle(what),
      react: (emoji) => actions.react(emoji),
      leave: () => actions.leave(),
      chat: () => this.openChat(!this.chat.isOpen),
    });
    const seal = sealSign(sealed);
    this.endOutside = closeOutside(seal);
    this.element = h(
      "div",
      { class: "meeting", "data-screen": "meeting" },
      h("header", { class: "top" }, this.title, this.people, seal),
      h("main", { class: "middle" }, this.stage.element, this.chat.element),
      this.controls.element,
      this.notes.element,
      this.speakers,
    );
  }

  update(state: ViewState, facts: (tile: Tile) => TrackFacts | null): void {
    this.last = state;
    setText(this.title, state.room);
    setText(this.people, TEXTS.notes.people(state.people));
    this.stage.update(state.shown, facts);
    this.updateControls();
  }

  /** Sound that is to be heard, by the slot that it comes in. */
  hear(mid: string, stream: MediaStream, track: string | null): void {
    let sound = this.sounds.get(mid);
    if (sound === undefined) {
      sound = h("audio", { autoplay: true, "data-mid": mid });
      sound.srcObject = stream;
      this.sounds.set(mid, sound);
      this.speakers.append(sound);
      // Until the page was touched, some browsers play nothing.
      sound.play().catch(() => this.askForTouch());
    }
    attribute(sound, "data-track", track);
  }

  silence(): void {
    for (const sound of this.sounds.values()) sound.srcObject = null;
    this.sounds.clear();
    this.speakers.replaceChildren();
  }

  said(name: string, text: string, isOwn: boolean): void {
    this.chat.add(name, text, isOwn);
    if (!this.chat.isOpen) this.unread += 1;
    this.updateControls();
  }

  connection(state: string): void {
    attribute(this.element, "data-connection", state);
  }

  close(): void {
    this.endOutside();
    this.silence();
    this.stage.close();
    this.element.remove();
  }

  private openChat(open: boolean): void {
    this.chat.open(open);
    if (open) this.unread = 0;
    else this.controls.element.querySelector<HTMLElement>("[data-control=chat]")?.focus();
    attribute(this.element, "data-chat", open);
    this.updateControls();
  }

  private updateControls(): void {
    if (this.last === null) return;
    const { on, canShare } = this.last;
    this.controls.update({ on, canShare, chatOpen: this.chat.isOpen, unread: this.unread });
  }

  private askForTouch(): void {
    this.notes.stand("touch", TEXTS.notes.playSound);
    const touched = (): void => {
      this.notes.clear("touch");
      for (const sound of this.sounds.values()) void sound.play().catch(() => undefined);
    };
    document.addEventListener("click", touched, { once: true });
  }
}
