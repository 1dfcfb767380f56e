/** Cameras, microphones and screens. */

export type DeviceKind = "camera" | "microphone";

const CONSTRAINTS: Readonly<Record<DeviceKind, MediaTrackConstraints>> = {
  camera: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
  microphone: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
};

/** Rejects with the browser's own error, whose name says what is wrong. */
export async function capture(kind: DeviceKind, deviceId: string | null): Promise<MediaStreamTrack> {
  const wanted = { ...CONSTRAINTS[kind], ...(deviceId === null ? {} : { deviceId: { exact: deviceId } }) };
  const stream = await navigator.mediaDevices.getUserMedia(kind === "camera" ? { video: wanted } : { audio: wanted });
  return stream.getTracks()[0]!;
}

/** The picture, and the sound where the browser and the person give it. */
export async function captureScreen(): Promise<{
  readonly video: MediaStreamTrack;
  readonly audio: MediaStreamTrack | null;
}> {
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: { frameRate: { ideal: 15, max: 30 } },
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const video = stream.getVideoTracks()[0]!;
  video.contentHint = "detail";
  return { video, audio: stream.getAudioTracks()[0] ?? null };
}

export async function listed(kind: DeviceKind): Promise<readonly MediaDeviceInfo[]> {
  const type = kind === "camera" ? "videoinput" : "audioinput";
  return (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === type && one.deviceId !== "");
}

/** How loud a microphone is, from 0 to 1, several times a second. Returns what ends it. */
export function watchLevel(track: MediaStreamTrack, tell: (level: number) => void): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
    // From -60 dB, which is a quiet room, to 0.
    tell(Math.max(0, Math.min(1, 1 + (10 * Math.log10(power + 1e-12)) / 60)));
  }, 80);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}
