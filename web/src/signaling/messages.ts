/** The messages of the room's socket, as docs/signaling.md fixes them. */

export type Kind = "audio" | "video";
export type Source = "camera" | "microphone" | "screen" | "screen_audio";
export type Mode = "secure" | "intelligent";

export interface E2ee {
  readonly kid_prefix: number;
  readonly sender: string;
}

export interface Participant {
  readonly id: string;
  readonly identity: string;
  readonly name: string | null;
  readonly metadata: string | null;
  /** In seconds since 1970. */
  readonly joined_at: number;
  readonly hand_raised: boolean;
  readonly e2ee: E2ee | null;
}

export interface Track {
  readonly id: string;
  readonly cid: string;
  readonly participant: string;
  readonly kind: Kind;
  readonly source: Source;
  readonly muted: boolean;
  readonly encrypted: boolean;
  readonly width?: number | null;
  readonly height?: number | null;
}

export interface Speaker {
  readonly participant: string;
  readonly level: number;
}

export interface Limits {
  readonly audio_slots: number;
  readonly video_slots: number;
  readonly message_bytes: number;
}

export interface Room {
  readonly id: string;
  readonly name: string;
  readonly mode: Mode;
  readonly metadata: string | null;
  readonly max_participants: number;
}

export interface Joined {
  readonly participant: Participant;
  readonly room: Room;
  readonly participants: readonly Participant[];
  readonly tracks: readonly Track[];
  readonly speakers: readonly Speaker[];
  readonly ice_servers: RTCIceServer[];
  readonly resume_token: string;
  readonly limits: Limits;
}

export interface Quality {
  readonly track: string;
  readonly layer: number | null;
  readonly width: number | null;
  readonly height: number | null;
  /** A stable word; `detail` has its numbers, in words for people. */
  readonly why: string;
  readonly detail: string;
}

export type Connection = "good" | "poor" | "lost";

export interface SlotChange {
  readonly mid: string;
  readonly track: string | null;
  readonly reason: string;
}

export interface NoticeData {
  admitted: Joined;
  participant_joined: Participant;
  participant_updated: Participant;
  participant_left: { readonly participant: string; readonly reason: string };
  track_published: Track;
  track_unpublished: { readonly track: string };
  track_muted: { readonly track: string; readonly muted: boolean; readonly by: string };
  slots: { readonly slots: readonly SlotChange[] };
  more_slots: { readonly audio: number; readonly video: number };
  layers: { readonly track: string; readonly wanted: number | null };
  quality: { readonly tracks: readonly Quality[]; readonly connection: Connection; readonly why: string };
  speakers: { readonly speakers: readonly Speaker[] };
  data: { readonly from: string; readonly payload: string; readonly reliable: boolean };
  reaction: { readonly participant: string; readonly emoji: string };
  gate: { readonly track: string; readonly verdict: string; readonly muted: boolean };
  mode: { readonly mode: Mode };
  ended: { readonly reason: string };
}

export type NoticeType = keyof NoticeData;
export type Notice = { [T in NoticeType]: { readonly type: T; readonly data: NoticeData[T] } }[NoticeType];

export interface Published {
  readonly mid: string;
  readonly cid: string;
  readonly kind: Kind;
  readonly source: Source;
  readonly encrypted: boolean;
  readonly layers?: readonly { readonly rid: string; readonly width: number; readonly height: number }[];
}

export interface Negotiated {
  readonly sdp: string;
  readonly published: readonly { readonly cid: string; readonly track: string }[];
  readonly slots: readonly { readonly mid: string; readonly kind: Kind; readonly stream: string }[];
}

export interface Requests {
  join: { readonly client: { readonly name: string; readonly version: string }; readonly e2ee: E2ee | null };
  resume: { readonly resume_token: string; readonly after: number };
  negotiate: {
    readonly sdp: string;
    readonly publish: readonly Published[];
    readonly receive: { readonly audio: number; readonly video: number };
  };
  want: { readonly track: string; readonly width: number; readonly height: number };
  unwant: { readonly track: string };
  pin: { readonly track: string; readonly pinned: boolean };
  mute: { readonly track: string; readonly muted: boolean };
  unpublish: { readonly track: string };
  set_metadata: { readonly metadata: string | null; readonly name?: string };
  raise_hand: { readonly raised: boolean };
  reaction: { readonly emoji: string };
  data: { readonly to?: readonly string[]; readonly payload: string; readonly reliable?: boolean };
  leave: Record<string, never>;
}

export interface Waiting {
  readonly waiting: true;
  readonly resume_token: string;
}

export interface Replies {
  join: Joined | Waiting;
  negotiate: Negotiated;
}

export type RequestType = keyof Requests;
export type Reply<T extends RequestType> = T extends keyof Replies ? Replies[T] : unknown;
