/** Every word that the page says. */

export interface Problem {
  readonly title: string;
  readonly cause: string;
  readonly cure: string;
}

export const TEXTS = {
  product: "SecureConnect",
  preview: {
    title: "Ready to join?",
    name: "Your name",
    namePlaceholder: "As others will see it",
    camera: "Camera",
    microphone: "Microphone",
    none: "None",
    level: "Microphone level",
    join: "Join",
    joining: "Joining…",
    cameraOff: "Your camera is off",
    nameMissing: "Anonymous",
  },
  controls: {
    label: "Meeting controls",
    microphone: { on: "Mute microphone", off: "Unmute microphone" },
    camera: { on: "Turn camera off", off: "Turn camera on" },
    screen: { on: "Stop sharing your screen", off: "Share your screen" },
    hand: { on: "Lower your hand", off: "Raise your hand" },
    reactions: "React",
    chat: "Chat",
    leave: "Leave",
  },
  tile: {
    you: "you",
    screenOf: (name: string): string => `${name}: screen`,
    muted: "Microphone off",
    mutedBy: { gate: "Muted by the server: was not encrypted", moderator: "Muted by a moderator" } as Readonly<
      Record<string, string>
    >,
    hand: "Hand raised",
    pin: (name: string): string => `Enlarge ${name}`,
    unpin: (name: string): string => `Shrink ${name}`,
    details: (name: string): string => `Picture quality of ${name}`,
    clear: "Not encrypted, so it is not shown",
    undecryptable: "Encrypted with another key, so it cannot be shown",
    waiting: "Picture is coming",
    facts: {
      layer: "Layer",
      size: "Picture",
      fps: "Frames per second",
      bitrate: "Bitrate",
      loss: "Packets lost",
      why: "Why",
      connection: "Connection",
    },
    noLayer: "none",
    sharpness: ["low", "medium", "high"] as readonly string[],
  },
  connection: { good: "Good connection", poor: "Poor connection", lost: "Connection lost" },
  why: {
    fills_tile: "Sharp enough for its size here",
    highest: "The best that is sent",
    bitrate: "Your connection does not carry more",
    headroom: "Waiting until your connection has room to spare",
    lowest_kept: "Your connection carries only the least",
    dwell: "Changed a moment ago",
    survival: "Reduced because your connection became worse",
    not_visible: "Not visible",
    no_layers: "Nothing is sent",
  } as Readonly<Record<string, string>>,
  seal: {
    sealed: "End-to-end encrypted",
    clear: "Not end-to-end encrypted",
    sealedDetail:
      "Pictures, sound and chat are encrypted in your browser with a key from the link. The server passes on what it cannot read. It does see names, who is here, raised hands, reactions, and who speaks when.",
    clearDetail:
      "The link has no key, so pictures, sound and chat are encrypted only on their way to the server and from there: the server can read them. Only rooms in Intelligent mode take that.",
  },
  chat: {
    title: "Chat",
    close: "Close chat",
    placeholder: "Write to everybody",
    send: "Send",
    empty: "Nobody has written yet. Messages are not stored.",
    tooLong: "That is too long for one message.",
    failed: "This was not sent. Try again.",
  },
  notes: {
    joined: (name: string): string => `${name} came in`,
    left: (name: string): string => `${name} left`,
    hand: (name: string): string => `${name} raised a hand`,
    reconnecting: "The server is away. Trying to come back…",
    back: "Back again.",
    mediaLost: "Pictures and sound are interrupted. Trying to come back…",
    gate: "The server stopped forwarding what you send: it was not encrypted as announced. Leave and join again.",
    mutedByModerator: "A moderator muted you.",
    notGranted: {
      camera: "This link does not allow a camera.",
      microphone: "This link does not allow a microphone.",
      screen: "This link does not allow sharing a screen.",
      screen_audio: "This link does not allow the sound of a screen.",
    },
    publishFailed: "The server did not take this. Try again in a moment.",
    people: (count: number): string => (count === 1 ? "Only you are here" : `${count} people`),
    more: (count: number): string => `and ${count} more`,
    playSound: "Click anywhere to hear the others.",
  },
  waiting: { title: "Please wait", text: "Somebody will let you in soon. You can keep this page open." },
  left: { title: "You left the meeting", again: "Join again" },
  again: "Try again",
  reactions: ["👍", "❤️", "😂", "😮", "👏", "🎉"] as readonly string[],
} as const;

/** Of devices, by the name of the error that `getUserMedia` gives. */
export const DEVICE_PROBLEMS: Readonly<Record<string, Problem>> = {
  NotAllowedError: {
    title: "Your browser does not allow it",
    cause: "The camera or microphone was refused for this page.",
    cure: "Click the camera sign beside the address, allow it, and try again. You can also join without.",
  },
  NotFoundError: {
    title: "Nothing was found",
    cause: "There is no camera or microphone here, or it is unplugged.",
    cure: "Plug one in and choose it, or join without.",
  },
  NotReadableError: {
    title: "It is in use",
    cause: "Another program has the camera or microphone, or the system blocks it.",
    cure: "Close the other program and choose the device again.",
  },
  OverconstrainedError: {
    title: "This device cannot do it",
    cause: "The device that was chosen is gone or does not offer what is needed.",
    cure: "Choose another one.",
  },
};

/** Why one is not in, by code: of the link, the browser, the server. */
export const PROBLEMS: Readonly<Record<string, Problem>> = {
  no_link: {
    title: "A link is missing",
    cause: "This page opens a meeting, and the address has none.",
    cure: "Open the link of your invitation as it is. It ends with #room=…&token=…&k=…; mails sometimes cut it off.",
  },
  no_token: {
    title: "This link has no ticket",
    cause: "It names a room, but not the token that lets you in. Without one, anybody could come who knows the room.",
    cure: "Ask whoever invited you for a link of your own: #room=…&token=…&k=…. Hosts make tokens with POST /v1/rooms/{id}/tokens.",
  },
  no_room: {
    title: "This link names no room",
    cause: "It has a token, but not the room that it is for.",
    cure: "Open the link of your invitation as it is: #room=…&token=…&k=….",
  },
  no_secret: {
    title: "This link has no key",
    cause:
      "The room is end-to-end encrypted. The key is the part k=… of the link, which never reaches the server, so the server cannot give it to you.",
    cure: "Ask whoever invited you for the whole link.",
  },
  bad_link_secret: {
    title: "The key in this link is damaged",
    cause: "The part k=… does not have its 43 characters.",
    cure: "Copy the link again, to its very end.",
  },
  cannot_seal: {
    title: "This browser cannot encrypt calls",
    cause: "It has no encoded transforms, or this page was opened without https.",
    cure: "Use a current Chrome, Edge, Firefox or Safari, over https.",
  },
  turned_away: {
    title: "The server did not let you in",
    cause: "Its token was refused: it may have expired, or be for another room or server.",
    cure: "Ask for a new link.",
  },
  invalid_token: {
    title: "This link is not valid here",
    cause: "Its token has expired, was changed on its way, or is of another server.",
    cure: "Ask for a new link.",
  },
  token_expired: {
    title: "This link has expired",
    cause: "Its token was valid for a limited time.",
    cure: "Ask for a new link.",
  },
  room_full: {
    title: "The room is full",
    cause: "It takes no more people.",
    cure: "Try again when somebody has left.",
  },
  room_ended: { title: "The meeting is over", cause: "The room was ended.", cure: "Ask the host for a new one." },
  not_granted: { title: "Not allowed", cause: "This link does not allow joining.", cure: "Ask for a link that does." },
  encryption_required: {
    title: "This room is for encrypted calls only",
    cause: "The link has no key, and the room takes nothing that is not end-to-end encrypted.",
    cure: "Ask whoever invited you for the whole link, with k=… in it.",
  },
  kicked: {
    title: "You were removed",
    cause: "A moderator ended your participation.",
    cure: "Ask the host if this was a mistake.",
  },
  replaced: {
    title: "You joined from somewhere else",
    cause: "The same link was opened in another window or on another device.",
    cure: "Go on there, or join again here.",
  },
  node_overloaded: {
    title: "The server is at its limit",
    cause: "It takes no more calls just now.",
    cure: "Try again in a minute.",
  },
  closed: { title: "The server ended the connection", cause: "It gave no reason.", cure: "Load the page again." },
  unknown: {
    title: "Something went wrong",
    cause: "An error that this page does not know.",
    cure: "Load the page again.",
  },
};
