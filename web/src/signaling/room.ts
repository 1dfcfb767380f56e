/** What is known of a room: what joining told, and what the server's notices have changed since. Pure. */

import type {
  Connection,
  Joined,
  Mode,
  Notice,
  NoticeData,
  NoticeType,
  Participant,
  Quality,
  Room,
  Track,
} from "./messages.ts";

export interface RoomState {
  readonly self: Participant;
  readonly room: Room;
  /** The others, by id, in the order in which they came. */
  readonly participants: ReadonlyMap<string, Participant>;
  /** Those of the others, by id: of one's own nobody is told but they. */
  readonly tracks: ReadonlyMap<string, Track>;
  /** Who muted a track that is muted, where it was not its publisher. */
  readonly mutedBy: ReadonlyMap<string, string>;
  /** Levels from 0 to 1 of those who speak. */
  readonly speakers: ReadonlyMap<string, number>;
  readonly quality: ReadonlyMap<string, Quality>;
  readonly connection: Connection;
}

export function entered(joined: Joined): RoomState {
  return {
    self: joined.participant,
    room: joined.room,
    participants: new Map(joined.participants.map((one) => [one.id, one])),
    tracks: new Map(joined.tracks.map((one) => [one.id, one])),
    mutedBy: new Map(),
    speakers: levels(joined.speakers),
    quality: new Map(),
    connection: "good",
  };
}

type Reducers = { [T in NoticeType]?: (state: RoomState, data: NoticeData[T]) => RoomState };

const REDUCERS: Reducers = {
  participant_joined: withParticipant,
  participant_updated: withParticipant,
  participant_left: (state, { participant }) => {
    const theirs = [...state.tracks.values()].filter((track) => track.participant === participant);
    const left = theirs.reduce((rest, track) => withoutTrack(rest, track.id), state);
    return {
      ...left,
      participants: without(left.participants, participant),
      speakers: without(left.speakers, participant),
    };
  },
  track_published: (state, track) => ({ ...state, tracks: having(state.tracks, track.id, track) }),
  track_unpublished: (state, { track }) => withoutTrack(state, track),
  track_muted: (state, { track, muted, by }) => {
    const known = state.tracks.get(track);
    if (known === undefined) return state;
    const mutedBy = muted && by !== "publisher" ? having(state.mutedBy, track, by) : without(state.mutedBy, track);
    return { ...state, tracks: having(state.tracks, track, { ...known, muted }), mutedBy };
  },
  quality: (state, { tracks, connection }) => {
    const quality = new Map(state.quality);
    for (const one of tracks) quality.set(one.track, one);
    return { ...state, quality, connection };
  },
  speakers: (state, { speakers }) => ({ ...state, speakers: levels(speakers) }),
  mode: (state, { mode }: { mode: Mode }) => ({ ...state, room: { ...state.room, mode } }),
};

/** Notices that say nothing about what the room is leave it as it was. */
export function applied(state: RoomState, notice: Notice): RoomState {
  const reduce = REDUCERS[notice.type] as ((state: RoomState, data: Notice["data"]) => RoomState) | undefined;
  return reduce === undefined ? state : reduce(state, notice.data);
}

export function participantOf(state: RoomState, id: string): Participant | undefined {
  return id === state.self.id ? state.self : state.participants.get(id);
}

function withParticipant(state: RoomState, one: Participant): RoomState {
  if (one.id === state.self.id) return { ...state, self: one };
  return { ...state, participants: having(state.participants, one.id, one) };
}

function withoutTrack(state: RoomState, track: string): RoomState {
  return {
    ...state,
    tracks: without(state.tracks, track),
    mutedBy: without(state.mutedBy, track),
    quality: without(state.quality, track),
  };
}

function levels(speakers: readonly { readonly participant: string; readonly level: number }[]): Map<string, number> {
  return new Map(speakers.map((one) => [one.participant, one.level]));
}

function having<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): Map<K, V> {
  return new Map(map).set(key, value);
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  if (!map.has(key)) return map;
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}
