/** Elements without a framework. Nothing here takes markup, so text from people stays text. */

type Child = Node | string | null;
type Properties = Readonly<Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>>;

/** Properties that are functions listen to the event of their name; false, null and undefined leave an attribute out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else attribute(element, name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function attribute(element: Element, name: string, value: string | number | boolean | null | undefined): void {
  if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";

/** Drawn on 24 by 24, in the colour of the text. */
const ICONS = {
  microphone:
    "M12 15a3.5 3.5 0 0 0 3.5-3.5v-5a3.5 3.5 0 1 0-7 0v5A3.5 3.5 0 0 0 12 15Zm-6.5-3.5a6.5 6.5 0 0 0 13 0M12 18v3.5",
  microphoneOff:
    "M8.5 8.5v3a3.5 3.5 0 0 0 5.6 2.8m1.4-3.4V6.5a3.5 3.5 0 0 0-6.6-1.6M5.5 11.5a6.5 6.5 0 0 0 10.6 5m2.1-2.9c.2-.7.3-1.4.3-2.1M12 18v3.5M3.5 3.5l17 17",
  camera:
    "M4 6.5h9.5a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2Zm11.5 4.3 5.2-3.1a.9.9 0 0 1 1.3.8v7a.9.9 0 0 1-1.3.8l-5.2-3.1",
  cameraOff:
    "M10 6.5h3.5a2 2 0 0 1 2 2v2.3l5.2-3.1a.9.9 0 0 1 1.3.8v7a.9.9 0 0 1-1.3.8l-2-1.2m-3.9 .4a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2M3.5 3.5l17 17",
  screen:
    "M4 4.5h16a1.5 1.5 0 0 1 1.5 1.5v10a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 16V6A1.5 1.5 0 0 1 4 4.5ZM8.5 20.5h7M12 14V8m-2.8 2.7L12 7.9l2.8 2.8",
  hand: "M8 12.5V6a1.5 1.5 0 0 1 3 0v4.5V4.5a1.5 1.5 0 0 1 3 0v6V6a1.5 1.5 0 0 1 3 0v8.5a6.5 6.5 0 0 1-12 3.5l-2.3-3.8a1.6 1.6 0 0 1 2.6-1.9L8 15",
  smile: "M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19ZM8 14.5c.9 1.4 2.3 2.2 4 2.2s3.1-.8 4-2.2M9 9.5v.1m6-.1v.1",
  chat: "M4 4.5h16a1.5 1.5 0 0 1 1.5 1.5v9.5A1.5 1.5 0 0 1 20 17h-8.5L7 21v-4H4a1.5 1.5 0 0 1-1.5-1.5V6A1.5 1.5 0 0 1 4 4.5Z",
  leave:
    "M3.2 14.8c-.6-3.6 3.3-6 8.8-6s9.4 2.4 8.8 6c-.1.7-.7 1.1-1.4 1l-3-.5c-.6-.1-1-.6-1-1.2v-1.7a11 11 0 0 0-6.8 0v1.7c0 .6-.4 1.1-1 1.2l-3 .5c-.7.1-1.3-.3-1.4-1Z",
  lock: "M6.5 10.5h11a1.5 1.5 0 0 1 1.5 1.5v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 19v-7a1.5 1.5 0 0 1 1.5-1.5ZM8 10.5V7.5a4 4 0 0 1 8 0v3",
  unlock:
    "M6.5 10.5h11a1.5 1.5 0 0 1 1.5 1.5v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 19v-7a1.5 1.5 0 0 1 1.5-1.5ZM8 10.5V7a4 4 0 0 1 7.6-1.7",
  pin: "M14.5 3.5l6 6-3.3 1-3.7 3.7-.5 4.3-7.5-7.5 4.3-.5 3.7-3.7 1-3.3ZM9 15l-5.5 5.5",
  bars: "M5 19v-3M12 19v-8M19 19V5",
  close: "M5.5 5.5l13 13m0-13-13 13",
  send: "M3.5 12 20.5 4l-5 16-4-6.5L3.5 12Zm8 1.5L20.5 4",
} as const;

export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Another drawing in the same place. */
export function setIcon(svg: SVGSVGElement, name: IconName): void {
  attribute(svg.firstElementChild!, "d", ICONS[name]);
}
