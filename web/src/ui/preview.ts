/** Before joining: which camera, which microphone, which name. Joining without either is fine. */

import { capture, type DeviceKind, listed, watchLevel } from "../devices.ts";
import { DEVICE_PROBLEMS, PROBLEMS, TEXTS } from "../texts.ts";
import { attribute, h, setText } from "./dom.ts";

const T = TEXTS.preview;
const NONE = "none";
const DEFAULT = "default";
const LONGEST_NAME = 60;

export interface Prepared {
  readonly name: string;
  readonly camera: MediaStreamTrack | null;
  readonly microphone: MediaStreamTrack | null;
}

export class Preview {
  readonly element: HTMLElement;
  private readonly video = h("video", {
    class: "picture mirrored",
    autoplay: true,
    playsinline: true,
    "aria-label": T.camera,
  });
  private readonly off = h("p", { class: "quiet" }, T.cameraOff);
  private readonly meter = h("div", {
    class: "meter",
    role: "meter",
    "aria-label": T.level,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
  });
  private readonly name = h("input", {
    id: "name",
    autocomplete: "name",
    maxlength: LONGEST_NAME,
    placeholder: T.namePlaceholder,
  });
  private readonly selects: Readonly<Record<DeviceKind, HTMLSelectElement>>;
  private readonly troubles: Readonly<Record<DeviceKind, HTMLElement>>;
  private readonly tracks: Record<DeviceKind, MediaStreamTrack | null> = { camera: null, microphone: null };
  private readonly turns: Record<DeviceKind, number> = { camera: 0, microphone: 0 };
  private readonly button = h("button", { class: "primary", "data-control": "join" }, T.join);
  private endLevel: (() => void) | null = null;
  private readonly devicesChanged = (): void => void this.list();

  constructor(seal: HTMLElement, done: (prepared: Prepared) => void) {
    const select = (kind: DeviceKind): HTMLSelectElement =>
      h(
        "select",
        { id: kind, change: () => void this.choose(kind) },
        h("option", { value: DEFAULT }, T[kind]),
        h("option", { value: NONE }, T.none),
      );
    const trouble = (): HTMLElement => h("p", { class: "bad", role: "alert" });
    this.selects = { camera: select("camera"), microphone: select("microphone") };
    this.troubles = { camera: trouble(), microphone: trouble() };
    this.video.muted = true;
    const submit = (event: Event): void => {
      event.preventDefault();
      const kept = { name: this.name.value.trim(), ...this.tracks };
      this.release();
      attribute(this.button, "disabled", true);
      setText(this.button, T.joining);
      done(kept);
    };
    this.element = h(
      "main",
      { class: "preview", "data-screen": "preview" },
      h("div", { class: "mirror" }, this.video, this.off),
      h(
        "form",
        { submit },
        h("p", { class: "brand" }, TEXTS.product),
        h("h1", {}, T.title),
        seal,
        h("label", { for: "name" }, T.name),
        this.name,
        h("label", { for: "camera" }, T.camera),
        this.selects.camera,
        this.troubles.camera,
        h("label", { for: "microphone" }, T.microphone),
        this.selects.microphone,
        this.meter,
        this.troubles.microphone,
        this.button,
      ),
    );
    navigator.mediaDevices?.addEventListener("devicechange", this.devicesChanged);
  }

  /** Asks for both at once: two questions one after the other are one too many. */
  async start(): Promise<void> {
    await Promise.all([this.choose("camera"), this.choose("microphone")]);
    await this.list();
  }

  private async choose(kind: DeviceKind): Promise<void> {
    const turn = (this.turns[kind] += 1);
    const chosen = this.selects[kind].value;
    setText(this.troubles[kind], "");
    this.keep(kind, null);
    if (chosen === NONE) return;
    if (navigator.mediaDevices === undefined) {
      const { cause, cure } = PROBLEMS["cannot_seal"]!;
      setText(this.troubles[kind], `${cause} ${cure}`);
      return;
    }
    try {
      const track = await capture(kind, chosen === DEFAULT ? null : chosen);
      if (turn === this.turns[kind]) this.keep(kind, track);
      else track.stop();
    } catch (error) {
      if (turn !== this.turns[kind]) return;
      const problem =
        DEVICE_PROBLEMS[error instanceof DOMException ? error.name : ""] ?? DEVICE_PROBLEMS["NotReadableError"]!;
      setText(this.troubles[kind], `${problem.cause} ${problem.cure}`);
      this.selects[kind].value = NONE;
    }
  }

  private keep(kind: DeviceKind, track: MediaStreamTrack | null): void {
    this.tracks[kind]?.stop();
    this.tracks[kind] = track;
    if (kind === "camera") {
      this.video.srcObject = track === null ? null : new MediaStream([track]);
      this.off.hidden = track !== null;
      return;
    }
    this.endLevel?.();
    this.endLevel = track === null ? null : watchLevel(track, (level) => this.show(level));
    if (track === null) this.show(0);
  }

  private show(level: number): void {
    this.meter.style.setProperty("--level", level.toFixed(3));
    attribute(this.meter, "aria-valuenow", Math.round(level * 100));
  }

  /** Their names are known once one of them was allowed. */
  private async list(): Promise<void> {
    for (const kind of ["camera", "microphone"] as const) {
      const devices = await listed(kind);
      if (devices.length === 0) continue;
      const select = this.selects[kind];
      const chosen = this.tracks[kind]?.getSettings().deviceId ?? select.value;
      const options = devices.map((one) => h("option", { value: one.deviceId }, one.label || T[kind]));
      select.replaceChildren(...options, h("option", { value: NONE }, T.none));
      select.value = select.querySelector(`option[value="${CSS.escape(chosen)}"]`) === null ? NONE : chosen;
    }
  }

  private release(): void {
    navigator.mediaDevices?.removeEventListener("devicechange", this.devicesChanged);
    this.endLevel?.();
    this.endLevel = null;
    this.video.srcObject = null;
  }
}
