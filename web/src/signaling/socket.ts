/** The room's socket: requests with answers, notices in order, and coming back when the network was away. */

import type { E2ee, Joined, Notice, Reply, Requests, RequestType } from "./messages.ts";

const FIRST_FRAME_MS = 10_000;
const ANSWER_MS = 15_000;
const BACK_OFF_MS = { first: 300, most: 8_000 };
/** The server says that trying again changes nothing. What ends in the ordinary way was announced by `ended`. */
const FINAL_CODES: ReadonlySet<number> = new Set([4400, 4403]);
/** What the server says of somebody who will not be let in later either. */
const FINAL_REFUSALS: ReadonlySet<string> = new Set([
  "token_expired",
  "room_full",
  "room_ended",
  "not_granted",
  "encryption_required",
]);

const REJOINED: ReadonlySet<string> = new Set(["expired", "server_stopping"]);

export class Refused extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
    readonly errorId: string | null = null,
  ) {
    super(`${code}: ${detail}`);
    this.name = "Refused";
  }
}

export type SocketState = "connecting" | "connected" | "reconnecting" | "waiting";

export interface SocketEvents {
  /** For each time of joining anew: keys hang on it. */
  introduce(): Promise<E2ee | null>;
  state(state: SocketState): void;
  joined(joined: Joined): void;
  /** Back on the same place: nothing was missed but answers to what was asked last. */
  resumed(): void;
  notice(notice: Notice): void;
  /** For good. `code` is a refusal of the server, or `turned_away`, `closed`, `unknown`. */
  ended(code: string, detail: string): void;
}

interface Pending {
  readonly resolve: (data: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

interface Fault {
  readonly code: string;
  readonly detail: string;
  readonly error_id?: string;
}

interface Frame {
  readonly type: string;
  readonly id?: string | null;
  readonly seq?: number;
  readonly data: unknown;
}

/** How long to wait before trying again, for the `attempt`th time from 0: doubled each time, and spread out, so that
 * a whole room does not come back in one moment. `random` is from 0 to 1. */
export function backOff(attempt: number, random: number): number {
  return Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.min(attempt, 10)) * (0.7 + 0.6 * random);
}

export class RoomSocket {
  private socket: WebSocket | null = null;
  private readonly pending = new Map<string, Pending>();
  private requests = 0;
  private attempts = 0;
  private resumeToken: string | null = null;
  private lastSeq = 0;
  /** The last that the server refused on this socket: what a close is about. */
  private fault: Fault | null = null;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private isOver = false;
  private wasIn = false;
  private readonly backOnline = (): void => this.hurry();

  constructor(
    private readonly address: string,
    private readonly token: string,
    private readonly client: { readonly name: string; readonly version: string },
    private readonly events: SocketEvents,
  ) {}

  start(): void {
    addEventListener("online", this.backOnline);
    this.events.state("connecting");
    this.connect();
  }

  /** Rejects with Refused: the server's code, or `connection_lost`, `no_answer`. */
  request<T extends RequestType>(type: T, data: Requests[T]): Promise<Reply<T>> {
    const socket = this.socket;
    if (socket?.readyState !== WebSocket.OPEN) return Promise.reject(new Refused("connection_lost", ""));
    this.requests += 1;
    const id = `r${this.requests}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(id);
        reject(new Refused("no_answer", type));
        // A server that does not answer is a connection that only looks alive.
        this.drop(socket);
      }, ANSWER_MS);
      this.pending.set(id, { resolve: resolve as (data: unknown) => void, reject, timer });
      socket.send(JSON.stringify({ type, id, data }));
    });
  }

  /** For what the user asked for: quietly where it does not matter that it fails now. */
  tell<T extends RequestType>(type: T, data: Requests[T]): void {
    this.request(type, data).catch(() => undefined);
  }

  async leave(): Promise<void> {
    this.isOver = true;
    try {
      await Promise.race([this.request("leave", {}), new Promise((resolve) => setTimeout(resolve, 1000))]);
    } catch {
      // Gone already: the server notices by itself.
    }
    this.close();
  }

  close(): void {
    this.isOver = true;
    removeEventListener("online", this.backOnline);
    if (this.retry !== null) clearTimeout(this.retry);
    this.failPending();
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }

  /** Forgets the place in the room, so that the next connection joins anew. */
  startOver(): void {
    this.resumeToken = null;
    if (this.socket !== null) this.drop(this.socket);
  }

  private connect(): void {
    this.retry = null;
    const socket = new WebSocket(this.address, ["sc.v1", `bearer.${this.token}`]);
    this.socket = socket;
    this.fault = null;
    let wasOpen = false;
    const late = setTimeout(() => this.drop(socket), FIRST_FRAME_MS);
    socket.onopen = () => {
      wasOpen = true;
      clearTimeout(late);
      void this.comeIn(socket);
    };
    socket.onmessage = (event) => {
      if (socket === this.socket && typeof event.data === "string") this.hear(JSON.parse(event.data) as Frame);
    };
    socket.onclose = (event) => {
      clearTimeout(late);
      if (socket === this.socket) void this.lost(wasOpen, event);
    };
  }

  private async comeIn(socket: WebSocket): Promise<void> {
    try {
      if (this.resumeToken !== null) {
        await this.resume(socket, this.resumeToken);
        return;
      }
      const e2ee = await this.events.introduce();
      if (socket !== this.socket) return;
      // A new place counts its notices anew.
      this.lastSeq = 0;
      const reply = await this.request("join", { client: this.client, e2ee });
      if (socket !== this.socket) return;
      this.resumeToken = reply.resume_token;
      if ("participant" in reply) this.enter(reply);
      else this.events.state("waiting");
    } catch (error) {
      if (this.isOver || socket !== this.socket) return;
      if (!(error instanceof Refused)) this.finish("unknown", String(error));
      else if (FINAL_REFUSALS.has(error.code)) this.finish(error.code, error.detail);
      else this.drop(socket);
    }
  }

  private async resume(socket: WebSocket, token: string): Promise<void> {
    try {
      await this.request("resume", { resume_token: token, after: this.lastSeq });
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "resume_failed") throw error;
      // Too long ago. A socket that began with that may be closed at any moment: joining takes a new one.
      this.resumeToken = null;
      if (socket === this.socket) {
        this.socket = null;
        socket.close(1000);
        this.connect();
      }
      return;
    }
    this.attempts = 0;
    this.events.state(this.wasIn ? "connected" : "waiting");
    if (this.wasIn) this.events.resumed();
  }

  private enter(joined: Joined): void {
    this.wasIn = true;
    this.attempts = 0;
    this.resumeToken = joined.resume_token;
    this.events.state("connected");
    this.events.joined(joined);
  }

  private hear(frame: Frame): void {
    if (frame.type === "error") this.fault = frame.data as Fault;
    if (typeof frame.id === "string") {
      this.answer(frame.id, frame);
    } else if (typeof frame.seq === "number") {
      if (frame.seq <= this.lastSeq) return;
      this.lastSeq = frame.seq;
      this.notice(frame as unknown as Notice);
    }
  }

  private answer(id: string, frame: Frame): void {
    const waiting = this.pending.get(id);
    if (waiting === undefined) return;
    this.pending.delete(id);
    clearTimeout(waiting.timer);
    if (frame.type === "reply") {
      waiting.resolve(frame.data);
      return;
    }
    const { code, detail, error_id: errorId } = frame.data as Fault;
    waiting.reject(new Refused(code, detail, errorId ?? null));
  }

  private notice(notice: Notice): void {
    if (notice.type === "admitted") this.enter(notice.data);
    else if (notice.type === "ended") this.end(notice.data.reason);
    else this.events.notice(notice);
  }

  /** Being away for too long and a server that starts again end the place in the room, not the meeting. */
  private end(reason: string): void {
    if (!REJOINED.has(reason)) this.finish(reason, "");
    else this.startOver();
  }

  private drop(socket: WebSocket): void {
    socket.close(4000);
    // A close that waits for the other side of a dead connection takes a minute to be told.
    if (socket === this.socket) void this.lost(true, null);
  }

  private async lost(wasOpen: boolean, event: CloseEvent | null): Promise<void> {
    this.socket = null;
    this.failPending();
    if (this.isOver) return;
    if (event !== null && FINAL_CODES.has(event.code)) {
      this.finish(this.fault?.code ?? "closed", this.fault?.detail ?? event.reason);
      return;
    }
    // A browser does not tell a refused handshake from a server that is away; a request can.
    if (!wasOpen && !this.wasIn && (await isThere())) {
      this.finish("turned_away", "");
      return;
    }
    if (this.isOver) return;
    this.events.state(this.wasIn ? "reconnecting" : "connecting");
    this.retry = setTimeout(() => this.connect(), backOff(this.attempts, Math.random()));
    this.attempts += 1;
  }

  private hurry(): void {
    if (this.retry === null || this.isOver) return;
    clearTimeout(this.retry);
    this.attempts = 0;
    this.connect();
  }

  private failPending(): void {
    for (const waiting of this.pending.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(new Refused("connection_lost", ""));
    }
    this.pending.clear();
  }

  private finish(code: string, detail: string): void {
    if (this.isOver) return;
    this.close();
    this.events.ended(code, detail);
  }
}

async function isThere(): Promise<boolean> {
  try {
    return (await fetch(new URL("health/live", document.baseURI), { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
