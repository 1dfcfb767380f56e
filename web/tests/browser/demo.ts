/** The meeting's view with people who are not there: for looking at it in every size. `?people=5&screen=1&chat=1` */

import type { TrackFacts } from "../../src/media/facts.ts";
import type { Tile } from "../../src/ui/tiles.ts";
import { MeetingView } from "../../src/ui/view.ts";
import { patternTrack } from "./pattern.ts";

const query = new URLSearchParams(location.search);
const people = Number(query.get("people") ?? 2);
const NAMES = [
  "Ada Lovelace",
  "Zoë",
  "Hedy Lamarr",
  "Katherine Johnson",
  "Alan Turing",
  "Radia Perlman",
  "Grace Hopper",
  "李小龙",
  "Joan Clarke",
];
const COLOURS = ["#31586f", "#6f4031", "#3c6f31", "#5a316f", "#6f6531", "#31436f"];

function tile(place: number, isScreen = false): Tile {
  const name = NAMES[place % NAMES.length]!;
  const isOff = place % 3 === 2;
  return {
    key: `p${place} ${isScreen ? "screen" : "camera"}`,
    participant: `p${place}`,
    identity: `p${place}`,
    name,
    isSelf: place === 0,
    isScreen,
    track: `t${place}${isScreen ? "s" : ""}`,
    picture: isOff && !isScreen ? "off" : place === 4 ? "coming" : "live",
    isMuted: place % 2 === 0,
    mutedBy: null,
    level: place === 1 ? 0.6 : 0,
    handRaised: place === 3,
    isPinned: false,
    isEncrypted: true,
    quality: {
      track: `t${place}`,
      layer: 1,
      width: 640,
      height: 360,
      why: "fills_tile",
      detail: "640x360 fills 610x343",
    },
    connection: place === 0 ? "good" : null,
  };
}

const nothing = (): void => undefined;
const view = new MeetingView(query.get("sealed") !== "0", {
  pin: nothing,
  sizes: nothing,
  toggle: nothing,
  react: nothing,
  leave: nothing,
  say: async (text) => view.said("Ada Lovelace", text, true),
});
document.getElementById("page")!.append(view.element);

const tiles = Array.from({ length: people }, (_, place) => tile(place));
if (query.get("screen") === "1") tiles.push(tile(1, true));
const facts: TrackFacts = { frames: 300, width: 640, height: 360, fps: 30, bitrate: 480_000, lost: 2 };
view.update(
  {
    room: "Weekly planning with the whole team",
    people,
    shown: { tiles, hidden: people > 20 ? 7 : 0 },
    on: { microphone: true, camera: false, screen: false, hand: false },
    canShare: true,
  },
  () => facts,
);
for (const [place, one] of tiles.entries()) {
  if (one.picture !== "live") continue;
  const stream = new MediaStream([patternTrack(one.isScreen ? "#e8ecf2" : COLOURS[place % COLOURS.length]!)]);
  view.stage.view(one.key)?.show(stream);
  view.stage.view(one.key)?.reveal(null);
}
view.said("Zoë", "Shall we begin?", false);
view.said(
  "Hedy Lamarr",
  "One minute, my second screen is not there yet. https://example.org/a/very/long/address/that/does/not/break",
  false,
);
if (query.get("note") === "1") view.notes.say("Katherine Johnson raised a hand");
