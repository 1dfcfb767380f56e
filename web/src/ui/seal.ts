/** The sign that says whether the server can see and hear. */

import { TEXTS } from "../texts.ts";
import { attribute, h, icon } from "./dom.ts";

export function sealSign(sealed: boolean): HTMLElement {
  const T = TEXTS.seal;
  return h(
    "details",
    { class: "seal", "data-sealed": sealed ? "true" : "false" },
    h("summary", {}, icon(sealed ? "lock" : "unlock"), h("span", {}, sealed ? T.sealed : T.clear)),
    h("p", {}, sealed ? T.sealedDetail : T.clearDetail),
  );
}

/** Closed by a press anywhere else, as what floats should be. */
export function closeOutside(details: HTMLElement): () => void {
  const close = (event: Event): void => {
    if (!details.contains(event.target as Node)) attribute(details, "open", false);
  };
  document.addEventListener("click", close);
  return () => document.removeEventListener("click", close);
}
