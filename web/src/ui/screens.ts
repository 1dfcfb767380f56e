/** Screens of one message: what happened, why, and what helps. */

import { type Problem, TEXTS } from "../texts.ts";
import { h } from "./dom.ts";

export interface Way {
  readonly label: string;
  readonly go: () => void;
}

export function problemScreen(code: string, problem: Problem, ways: readonly Way[]): HTMLElement {
  return card(
    { "data-screen": "problem", "data-code": code, role: "alert" },
    problem.title,
    [h("p", {}, problem.cause), h("p", { class: "cure" }, problem.cure)],
    ways,
  );
}

export function messageScreen(screen: string, title: string, text: string, ways: readonly Way[]): HTMLElement {
  return card({ "data-screen": screen, role: "status" }, title, text === "" ? [] : [h("p", {}, text)], ways);
}

function card(
  properties: Readonly<Record<string, string>>,
  title: string,
  body: readonly HTMLElement[],
  ways: readonly Way[],
): HTMLElement {
  const buttons = ways.map((way) => h("button", { class: "primary", type: "button", click: way.go }, way.label));
  return h(
    "main",
    { class: "card", ...properties },
    h("p", { class: "brand" }, TEXTS.product),
    h("h1", {}, title),
    ...body,
    ...buttons,
  );
}
