/** Runs one thing at a time, however often it is asked for: what is asked while it runs is one more run afterwards. */
export class Coalescer {
  private running: Promise<void> | null = null;
  private again = false;

  constructor(private readonly run: () => Promise<void>) {}

  /** Ends when a run has ended that began after this was called. */
  request(): Promise<void> {
    if (this.running === null) {
      this.running = this.loop();
      return this.running;
    }
    this.again = true;
    return this.running;
  }

  private async loop(): Promise<void> {
    try {
      do {
        this.again = false;
        await this.run();
      } while (this.again);
    } finally {
      this.running = null;
    }
  }
}
