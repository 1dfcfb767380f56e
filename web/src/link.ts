/** The link into a meeting: `#room=<id>&token=<room token>&k=<secret>`. A browser never sends what follows the `#`. */

export interface Link {
  readonly room: string;
  readonly token: string;
  /** From which the keys are derived; null in a room that does not encrypt end to end. */
  readonly secret: string | null;
}

export type LinkProblem = "no_link" | "no_token" | "no_room";

export function readLink(fragment: string): Link | LinkProblem {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const room = fields.get("room");
  const token = fields.get("token");
  if (!room && !token) return "no_link";
  if (!token) return "no_token";
  if (!room) return "no_room";
  return { room, token, secret: fields.get("k") };
}

/** Takes the link out of the address, where a shoulder or a screenshot could read it, and keeps it with the tab's
 * history entry, so that loading the page again works. */
export function takeLink(): Link | LinkProblem {
  const found = readLink(location.hash);
  if (typeof found !== "string") {
    history.replaceState({ link: found }, "", location.pathname + location.search);
    return found;
  }
  const kept = (history.state as { link?: Link } | null)?.link;
  return found === "no_link" && kept !== undefined ? kept : found;
}
