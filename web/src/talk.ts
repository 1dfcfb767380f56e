/** Messages between participants: sealed where the meeting is, and over the data channel where it is open. */

import { fromBase64, toBase64, utf8 } from "./e2ee/bytes.ts";
import type { Sealing } from "./e2ee/sealing.ts";
import type { MediaSession } from "./media/session.ts";
import type { RoomSocket } from "./signaling/socket.ts";

interface Said {
  readonly kind: "chat";
  readonly text: string;
}

export class Talk {
  constructor(
    private readonly socket: RoomSocket,
    private readonly session: MediaSession,
    private readonly sealing: Sealing | null,
    private readonly largest: number,
  ) {}

  /** Throws RangeError for what is too long, and rejects where it was not sent. */
  async say(text: string): Promise<void> {
    const plain = utf8(JSON.stringify({ kind: "chat", text } satisfies Said));
    const message = this.sealing === null ? plain : await this.sealing.seal(plain);
    if (message.length > this.largest) throw new RangeError("a message is at most 15,000 bytes");
    const payload = toBase64(message);
    if (this.session.reliable.readyState === "open") this.session.reliable.send(JSON.stringify({ payload }));
    else await this.socket.request("data", { payload, reliable: true });
  }

  /** The text, or null where this is none, or not by the one who is said to have sent it. */
  async heard(payload: string, sender: string | null): Promise<string | null> {
    const message = fromBase64(payload);
    if (message === null) return null;
    const plain = this.sealing === null ? message : sender === null ? null : await this.sealing.open(sender, message);
    return plain === null ? null : text(plain);
  }
}

function text(plain: Uint8Array): string | null {
  try {
    const said = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(plain)) as Partial<Said> | null;
    return said?.kind === "chat" && typeof said.text === "string" ? said.text : null;
  } catch {
    return null;
  }
}
