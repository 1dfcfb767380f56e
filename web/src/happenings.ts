/** What of the server's notices is worth a word to the person. Pure. */

import type { Notice, NoticeData, NoticeType, Participant } from "./signaling/messages.ts";
import { participantOf, type RoomState } from "./signaling/room.ts";
import { TEXTS } from "./texts.ts";

const T = TEXTS.notes;

type Tellers = { [Type in NoticeType]?: (before: RoomState, data: NoticeData[Type]) => string | null };

const TELLERS: Tellers = {
  // Who has no name yet is about to say it.
  participant_joined: (_, one) => (one.name ? T.joined(one.name) : null),
  participant_updated: updated,
  participant_left: (before, { participant }) => T.left(nameOf(participantOf(before, participant))),
  track_muted: (before, { track, muted, by }) => {
    // Of one's own tracks nobody is told but the others.
    const isMine = !before.tracks.has(track);
    return isMine && muted && by === "moderator" ? T.mutedByModerator : null;
  },
  gate: (_, { muted }) => (muted ? T.gate : null),
};

/** `before` is the room as it was. Null for what people see by themselves. */
export function happened(before: RoomState, notice: Notice): string | null {
  const tell = TELLERS[notice.type] as ((before: RoomState, data: Notice["data"]) => string | null) | undefined;
  return tell === undefined ? null : tell(before, notice.data);
}

export function nameOf(one: Participant | undefined): string {
  return one?.name || TEXTS.preview.nameMissing;
}

function updated(before: RoomState, one: Participant): string | null {
  const was = before.participants.get(one.id);
  if (was === undefined) return null;
  if (one.hand_raised && !was.hand_raised) return T.hand(nameOf(one));
  return one.name && !was.name ? T.joined(one.name) : null;
}
