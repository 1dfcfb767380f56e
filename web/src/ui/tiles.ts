/** Which tiles there are, in which order, and what each says. Pure: the room and what is known of media in. */

import { participantOf, type RoomState } from "../signaling/room.ts";
import type { Connection, Participant, Quality, Source, Track } from "../signaling/messages.ts";

/** More on one page are too small to be of use; those who speak come to the front. */
export const MOST_TILES = 25;

/** `off`: nothing is sent; `coming`: its first frame is not here yet; `live`; `refused`: it comes, but not under the key
 * of this meeting, so it is not shown. */
export type PictureState = "off" | "coming" | "live" | "refused";

export interface Tile {
  /** The same for as long as it is the same tile. */
  readonly key: string;
  readonly participant: string;
  readonly identity: string;
  readonly name: string;
  readonly isSelf: boolean;
  readonly isScreen: boolean;
  readonly track: string | null;
  readonly picture: PictureState;
  readonly isMuted: boolean;
  readonly mutedBy: string | null;
  /** 0 to 1; 0 for who does not speak. */
  readonly level: number;
  readonly handRaised: boolean;
  readonly isPinned: boolean;
  /** By what its publisher says of it. */
  readonly isEncrypted: boolean;
  readonly quality: Quality | null;
  readonly connection: Connection | null;
}

export interface Shown {
  readonly tiles: readonly Tile[];
  /** How many more there are than fit. */
  readonly hidden: number;
}

export interface MediaFacts {
  readonly sealed: boolean;
  readonly pinned: string | null;
  /** Of one's own: what is sent at the moment. */
  readonly sending: ReadonlySet<Source>;
  readonly live: ReadonlySet<string>;
  readonly refused: ReadonlySet<string>;
  /** Names of those who have none. */
  readonly nameless: string;
}

export function shownTiles(state: RoomState, facts: MediaFacts): Shown {
  const everybody = [state.self, ...state.participants.values()];
  const tracks = [...state.tracks.values()];
  const all = everybody.flatMap((one) => {
    const theirs = tracks.filter((track) => track.participant === one.id);
    const isSharing =
      one === state.self ? facts.sending.has("screen") : theirs.some((track) => track.source === "screen");
    const camera = tile(state, facts, one, theirs, false);
    return isSharing ? [tile(state, facts, one, theirs, true), camera] : [camera];
  });
  const ordered = all
    .map((one, place) => ({ one, rank: rank(one), place }))
    .sort((a, b) => a.rank - b.rank || a.place - b.place);
  // Order by rank decides only who is shown; among those who are, everybody keeps their place, so nothing jumps about.
  const chosen = new Set(ordered.slice(0, MOST_TILES).map(({ one }) => one.key));
  const tiles = all.filter((one) => chosen.has(one.key));
  const enlarged = tiles.find((one) => one.isPinned);
  const first = enlarged === undefined ? tiles : [enlarged, ...tiles.filter((one) => one !== enlarged)];
  return { tiles: first, hidden: all.length - tiles.length };
}

/** The tile that is large without anybody having asked: a screen of somebody else. */
export function spotlit(tiles: readonly Tile[]): Tile | null {
  return tiles.find((one) => one.isPinned) ?? tiles.find((one) => one.isScreen && !one.isSelf) ?? null;
}

function rank(one: Tile): number {
  if (one.isPinned) return 0;
  if (one.isScreen) return 1;
  if (one.isSelf) return 2;
  if (one.level > 0) return 3;
  return one.picture === "off" ? 5 : 4;
}

function tile(
  state: RoomState,
  facts: MediaFacts,
  one: Participant,
  theirs: readonly Track[],
  isScreen: boolean,
): Tile {
  const isSelf = one.id === state.self.id;
  const source = (name: Source): Track | undefined => theirs.find((track) => track.source === name);
  const video = source(isScreen ? "screen" : "camera");
  const sound = source(isScreen ? "screen_audio" : "microphone");
  const key = `${one.id} ${isScreen ? "screen" : "camera"}`;
  return {
    key,
    participant: one.id,
    identity: one.identity,
    name: participantOf(state, one.id)?.name || facts.nameless,
    isSelf,
    isScreen,
    track: video?.id ?? null,
    picture: picture(facts, isSelf, isScreen ? "screen" : "camera", video),
    isMuted: isSelf ? !facts.sending.has(isScreen ? "screen_audio" : "microphone") : sound === undefined || sound.muted,
    mutedBy: (sound && state.mutedBy.get(sound.id)) ?? (video && state.mutedBy.get(video.id)) ?? null,
    level: isScreen ? 0 : (state.speakers.get(one.id) ?? 0),
    handRaised: !isScreen && one.hand_raised,
    isPinned: facts.pinned === key,
    isEncrypted: video?.encrypted ?? true,
    quality: (video && state.quality.get(video.id)) ?? null,
    connection: isSelf ? state.connection : null,
  };
}

function picture(facts: MediaFacts, isSelf: boolean, source: Source, video: Track | undefined): PictureState {
  if (isSelf) return facts.sending.has(source) ? "live" : "off";
  if (video === undefined || video.muted) return "off";
  if (facts.live.has(video.id)) return "live";
  if (facts.sealed && !video.encrypted) return "refused";
  return facts.refused.has(video.id) ? "refused" : "coming";
}
