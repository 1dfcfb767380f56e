import { expect, test } from "vitest";
import type { Joined, Notice, Participant, Track } from "../../src/signaling/messages.ts";
import { happened } from "../../src/happenings.ts";
import { applied, entered, type RoomState } from "../../src/signaling/room.ts";
import { type MediaFacts, MOST_TILES, shownTiles, spotlit } from "../../src/ui/tiles.ts";

function person(id: string): Participant {
  return { id, identity: `${id}@host`, name: id, metadata: null, joined_at: 0, hand_raised: false, e2ee: null };
}

function track(id: string, participant: string, source: Track["source"], more: Partial<Track> = {}): Track {
  const kind = source === "camera" || source === "screen" ? "video" : "audio";
  return { id, cid: `c-${id}`, participant, kind, source, muted: false, encrypted: true, ...more };
}

function room(others: readonly string[], tracks: readonly Track[] = []): RoomState {
  const joined: Joined = {
    participant: person("me"),
    room: { id: "r", name: "Room", mode: "secure", metadata: null, max_participants: 50 },
    participants: others.map(person),
    tracks,
    speakers: [],
    ice_servers: [],
    resume_token: "t",
    limits: { audio_slots: 5, video_slots: 25, message_bytes: 15000 },
  };
  return entered(joined);
}

function after(state: RoomState, ...notices: readonly Notice[]): RoomState {
  return notices.reduce(applied, state);
}

const facts: MediaFacts = {
  sealed: true,
  pinned: null,
  sending: new Set(),
  live: new Set(),
  refused: new Set(),
  nameless: "Anonymous",
};

test("people come, change and go, and their tracks and voices with them", () => {
  const state = after(
    room(["ada"]),
    { type: "participant_joined", data: person("bob") },
    { type: "track_published", data: track("v", "bob", "camera") },
    { type: "speakers", data: { speakers: [{ participant: "bob", level: 0.5 }] } },
    { type: "participant_updated", data: { ...person("bob"), name: "Robert" } },
  );
  expect([...state.participants.keys()]).toEqual(["ada", "bob"]);
  expect(state.participants.get("bob")?.name).toBe("Robert");
  const gone = after(state, { type: "participant_left", data: { participant: "bob", reason: "left" } });
  expect([...gone.participants.keys()]).toEqual(["ada"]);
  expect([gone.tracks.size, gone.speakers.size]).toEqual([0, 0]);
});

test("an update of oneself does not make one somebody else", () => {
  const state = after(room([]), { type: "participant_updated", data: { ...person("me"), hand_raised: true } });
  expect(state.self.hand_raised).toBe(true);
  expect(state.participants.size).toBe(0);
});

test("who muted is remembered only where it was not the publisher, until it is over", () => {
  const muted = (on: boolean, by: string): Notice => ({ type: "track_muted", data: { track: "m", muted: on, by } });
  const state = room(["ada"], [track("m", "ada", "microphone")]);
  expect(after(state, muted(true, "moderator")).mutedBy.get("m")).toBe("moderator");
  expect(after(state, muted(true, "publisher")).mutedBy.size).toBe(0);
  expect(after(state, muted(true, "gate"), muted(false, "publisher")).mutedBy.size).toBe(0);
});

test("a notice of a later version of the server changes nothing", () => {
  const state = room([]);
  expect(applied(state, { type: "fireworks", data: {} } as unknown as Notice)).toBe(state);
});

test("what is sent shows only once its first frame was opened", () => {
  const state = room(["ada"], [track("v", "ada", "camera")]);
  const of = (more: Partial<MediaFacts>): string => shownTiles(state, { ...facts, ...more }).tiles[1]!.picture;
  expect(of({})).toBe("coming");
  expect(of({ live: new Set(["v"]) })).toBe("live");
  expect(of({ refused: new Set(["v"]) })).toBe("refused");
});

test("a track that its publisher does not even call encrypted is not shown in a sealed meeting", () => {
  const state = room(["ada"], [track("v", "ada", "camera", { encrypted: false })]);
  expect(shownTiles(state, facts).tiles[1]!.picture).toBe("refused");
  expect(shownTiles(state, { ...facts, sealed: false }).tiles[1]!.picture).toBe("coming");
});

test("somebody without a microphone is shown as silent", () => {
  const state = room(["ada", "bob"], [track("m", "bob", "microphone")]);
  expect(shownTiles(state, facts).tiles.map((tile) => tile.isMuted)).toEqual([true, true, false]);
});

test("a screen is a tile of its own and large, one's own is not", () => {
  const state = room(["ada"], [track("s", "ada", "screen")]);
  const { tiles } = shownTiles(state, { ...facts, sending: new Set(["screen"] as const) });
  expect(tiles.map((tile) => tile.key)).toEqual(["me screen", "me camera", "ada screen", "ada camera"]);
  expect(spotlit(tiles)?.key).toBe("ada screen");
  expect(spotlit(tiles.slice(0, 2))).toBeNull();
});

test("what is pinned stands first", () => {
  const state = room(["ada", "bob"]);
  const { tiles } = shownTiles(state, { ...facts, pinned: "bob camera" });
  expect(tiles[0]!.key).toBe("bob camera");
  expect(spotlit(tiles)).toBe(tiles[0]);
});

test("of more people than fit those who speak are seen, and the rest counted", () => {
  const names = Array.from({ length: 40 }, (_, place) => `p${place}`);
  const state = after(room(names), { type: "speakers", data: { speakers: [{ participant: "p39", level: 0.4 }] } });
  const { tiles, hidden } = shownTiles(state, facts);
  expect([tiles.length, hidden]).toEqual([MOST_TILES, 16]);
  expect(tiles.some((tile) => tile.participant === "p39")).toBe(true);
  expect(tiles.some((tile) => tile.isSelf)).toBe(true);
});

test("people are told who comes, who goes and who raises a hand, by the names that they have given", () => {
  const state = room(["ada"]);
  const nameless = { ...person("bob"), name: null };
  expect(happened(state, { type: "participant_joined", data: person("bob") })).toBe("bob came in");
  expect(happened(state, { type: "participant_joined", data: nameless })).toBeNull();
  const there = after(state, { type: "participant_joined", data: nameless });
  expect(happened(there, { type: "participant_updated", data: person("bob") })).toBe("bob came in");
  const raised = { ...person("ada"), hand_raised: true };
  expect(happened(state, { type: "participant_updated", data: raised })).toBe("ada raised a hand");
  expect(happened(state, { type: "participant_updated", data: { ...raised, id: "me" } })).toBeNull();
  expect(happened(state, { type: "participant_left", data: { participant: "ada", reason: "left" } })).toBe("ada left");
});

test("people are told when somebody else has muted them", () => {
  const state = room(["ada"], [track("n", "ada", "microphone")]);
  const muted = (of: string, by: string): Notice => ({ type: "track_muted", data: { track: of, muted: true, by } });
  expect(happened(state, muted("m", "moderator"))).toBe("A moderator muted you.");
  expect(happened(state, muted("m", "publisher"))).toBeNull();
  expect(happened(state, muted("n", "moderator"))).toBeNull();
});
