/** The small chat: what is said here is in nobody's store. */

import { TEXTS } from "../texts.ts";
import { h, icon, setText } from "./dom.ts";

const T = TEXTS.chat;
/** A tab that is open for days must not grow with what was said. */
const MOST_MESSAGES = 500;

export interface ChatActions {
  /** Rejects where it was not sent. */
  say(text: string): Promise<void>;
  close(): void;
}

export class Chat {
  readonly element: HTMLElement;
  private readonly log = h("ol", { class: "messages", role: "log", "aria-label": T.title });
  private readonly empty = h("p", { class: "quiet" }, T.empty);
  private readonly input = h("textarea", { rows: 2, placeholder: T.placeholder, "aria-label": T.placeholder });
  private readonly failed = h("p", { class: "bad", role: "alert" });

  constructor(private readonly actions: ChatActions) {
    this.element = h(
      "aside",
      { class: "chat", "aria-label": T.title, hidden: true },
      h(
        "header",
        {},
        h("h2", {}, T.title),
        h(
          "button",
          { class: "plain", type: "button", "aria-label": T.close, click: () => actions.close() },
          icon("close"),
        ),
      ),
      this.empty,
      this.log,
      this.failed,
      h(
        "form",
        { submit: (event) => this.submit(event) },
        this.input,
        h("button", { class: "round small", "aria-label": T.send, title: T.send }, icon("send")),
      ),
    );
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.submit(event);
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") actions.close();
    });
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(open: boolean): void {
    this.element.hidden = !open;
    if (open) this.input.focus();
  }

  add(name: string, text: string, isOwn: boolean): void {
    this.empty.hidden = true;
    const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const head = h("p", { class: "from" }, h("b", {}, name), ` ${time}`);
    this.log.append(h("li", { "data-own": isOwn }, head, h("p", { class: "said" }, text)));
    if (this.log.childElementCount > MOST_MESSAGES) this.log.firstElementChild?.remove();
    this.log.scrollTop = this.log.scrollHeight;
  }

  private submit(event: Event): void {
    event.preventDefault();
    const text = this.input.value.trim();
    if (text === "") return;
    setText(this.failed, "");
    this.actions.say(text).then(
      () => {
        this.input.value = "";
      },
      (error: unknown) => setText(this.failed, error instanceof RangeError ? T.tooLong : T.failed),
    );
  }
}
