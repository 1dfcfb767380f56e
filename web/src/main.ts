/** The page: reads the link, shows the preview, then the meeting; and says what is wrong where it cannot. */

import { importedSecret } from "./e2ee/framekeys.ts";
import { BadFrame } from "./e2ee/problems.ts";
import { canSeal } from "./e2ee/sealing.ts";
import { type Link, takeLink } from "./link.ts";
import { Meeting } from "./meeting.ts";
import { PROBLEMS, TEXTS } from "./texts.ts";
import { Preview, type Prepared } from "./ui/preview.ts";
import { messageScreen, problemScreen, type Way } from "./ui/screens.ts";
import { sealSign } from "./ui/seal.ts";

const root = document.getElementById("page")!;
const SOCKET_PATH = "v1/calls/ws/signaling";

function show(element: HTMLElement): void {
  root.replaceChildren(element);
}

const again: Way = { label: TEXTS.again, go: () => location.reload() };

function problem(code: string, detail = ""): void {
  const known = PROBLEMS[code] ?? { ...PROBLEMS["unknown"]!, title: `${PROBLEMS["unknown"]!.title} (${code})` };
  const said = detail === "" ? known : { ...known, cause: `${known.cause} ${detail}` };
  const isLink = code === "no_link" || code === "no_token" || code === "no_room";
  show(problemScreen(code, said, isLink ? [] : [again]));
}

/** The key that the others are derived from; its text is forgotten here. Null where the link has none. */
async function secretOf(link: Link): Promise<CryptoKey | null> {
  return link.secret === null ? null : importedSecret(link.secret);
}

function socketAddress(): string {
  const address = new URL(SOCKET_PATH, document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

function join(link: Link, secret: CryptoKey | null, prepared: Prepared): void {
  const meeting = new Meeting(socketAddress(), link.token, secret, prepared, {
    entered: show,
    waiting: () => show(messageScreen("waiting", TEXTS.waiting.title, TEXTS.waiting.text, [])),
    ended: problem,
    left: () => show(messageScreen("left", TEXTS.left.title, "", [{ ...again, label: TEXTS.left.again }])),
  });
  meeting.start();
}

async function begin(): Promise<void> {
  document.title = TEXTS.product;
  const link = takeLink();
  if (typeof link === "string") {
    problem(link);
    return;
  }
  if (link.secret !== null && !canSeal()) {
    problem("cannot_seal");
    return;
  }
  try {
    const secret = await secretOf(link);
    const preview = new Preview(sealSign(secret !== null), (prepared) => join(link, secret, prepared));
    show(preview.element);
    await preview.start();
  } catch (error) {
    problem(error instanceof BadFrame ? error.reason : "unknown", error instanceof BadFrame ? "" : String(error));
  }
}

// Another link in the same tab changes nothing but the fragment, which loads nothing by itself.
addEventListener("hashchange", () => location.reload());
void begin();
