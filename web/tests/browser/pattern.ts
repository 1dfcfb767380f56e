/** A camera and a microphone that are known by what they show and sound like. */

/** A plane of one colour with a bar that moves, so that every frame is another. */
export function patternTrack(colour: string, width = 640, height = 360): MediaStreamTrack {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  let step = 0;
  const draw = (): void => {
    context.fillStyle = colour;
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#fff";
    context.fillRect((step * 7) % width, height - 40, 24, 24);
    step += 1;
  };
  draw();
  setInterval(draw, 33);
  return canvas.captureStream(30).getVideoTracks()[0]!;
}

export async function toneTrack(frequency: number): Promise<MediaStreamTrack> {
  const context = new AudioContext();
  await context.resume();
  const tone = context.createOscillator();
  tone.frequency.value = frequency;
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  return out.stream.getAudioTracks()[0]!;
}
