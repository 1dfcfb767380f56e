/** The bar of buttons. Each says what a press does, not what is. */

import { TEXTS } from "../texts.ts";
import { attribute, h, icon, type IconName, setIcon } from "./dom.ts";

const T = TEXTS.controls;

export type Toggle = "microphone" | "camera" | "screen" | "hand";

export interface ControlActions {
  toggle(what: Toggle): void;
  react(emoji: string): void;
  chat(): void;
  leave(): void;
}

export interface ControlState {
  readonly on: Readonly<Record<Toggle, boolean>>;
  readonly canShare: boolean;
  readonly chatOpen: boolean;
  readonly unread: number;
}

const ICONS: Readonly<Record<Toggle, { readonly on: IconName; readonly off: IconName }>> = {
  microphone: { on: "microphone", off: "microphoneOff" },
  camera: { on: "camera", off: "cameraOff" },
  screen: { on: "screen", off: "screen" },
  hand: { on: "hand", off: "hand" },
};
const TOGGLES: readonly Toggle[] = ["microphone", "camera", "screen", "hand"];

export class Controls {
  readonly element: HTMLElement;
  private readonly toggles = new Map<Toggle, { readonly button: HTMLButtonElement; readonly picture: SVGSVGElement }>();
  private readonly chat: HTMLButtonElement;
  private readonly unread = h("span", { class: "unread", hidden: true });
  private readonly reactions: HTMLElement;
  private readonly react: HTMLButtonElement;

  constructor(actions: ControlActions) {
    this.element = h("nav", { class: "controls", "aria-label": T.label });
    for (const what of TOGGLES) {
      const picture = icon(ICONS[what].off);
      const button = h(
        "button",
        { class: "round", type: "button", "data-control": what, click: () => actions.toggle(what) },
        picture,
      );
      this.toggles.set(what, { button, picture });
      this.element.append(button);
    }
    this.reactions = h("div", { class: "reactions", role: "group", "aria-label": T.reactions, hidden: true });
    for (const emoji of TEXTS.reactions) {
      const send = (): void => {
        actions.react(emoji);
        this.openReactions(false);
      };
      this.reactions.append(h("button", { type: "button", class: "emoji", "aria-label": emoji, click: send }, emoji));
    }
    this.react = h(
      "button",
      {
        class: "round",
        type: "button",
        "data-control": "reactions",
        "aria-label": T.reactions,
        title: T.reactions,
        "aria-expanded": "false",
        click: () => this.openReactions(this.reactions.hidden === true),
      },
      icon("smile"),
    );
    this.chat = h(
      "button",
      {
        class: "round",
        type: "button",
        "data-control": "chat",
        "aria-label": T.chat,
        title: T.chat,
        click: () => actions.chat(),
      },
      icon("chat"),
      this.unread,
    );
    const leave = h(
      "button",
      {
        class: "round leave",
        type: "button",
        "data-control": "leave",
        "aria-label": T.leave,
        title: T.leave,
        click: () => actions.leave(),
      },
      icon("leave"),
    );
    this.element.append(h("div", { class: "popover-anchor" }, this.reactions, this.react), this.chat, leave);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.reactions.hidden) return;
      this.openReactions(false);
      this.react.focus();
    });
  }

  update(state: ControlState): void {
    for (const [what, { button, picture }] of this.toggles) {
      const on = state.on[what];
      attribute(button, "aria-pressed", on ? "true" : "false");
      const label = T[what][on ? "on" : "off"];
      attribute(button, "aria-label", label);
      attribute(button, "title", label);
      setIcon(picture, ICONS[what][on ? "on" : "off"]);
    }
    this.toggles.get("screen")!.button.hidden = !state.canShare;
    attribute(this.chat, "aria-expanded", state.chatOpen ? "true" : "false");
    this.unread.hidden = state.unread === 0;
    this.unread.textContent = String(state.unread);
  }

  private openReactions(open: boolean): void {
    this.reactions.hidden = !open;
    attribute(this.react, "aria-expanded", open ? "true" : "false");
    if (open) (this.reactions.firstElementChild as HTMLElement).focus();
  }
}
