/** Why a frame or a message was not opened. The words are those of the server's own tests of the same format. */
export type Reason =
  | "bad_link_secret"
  | "frame_short"
  | "sframe_short"
  | "sframe_not_minimal"
  | "sframe_unauthentic"
  | "unknown_key"
  | "frame_replayed"
  | "key_exhausted"
  | "codec_not_sealed";

export class BadFrame extends Error {
  constructor(readonly reason: Reason) {
    super(reason);
    this.name = "BadFrame";
  }
}
