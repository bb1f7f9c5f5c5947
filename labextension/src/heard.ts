/** What the server has refused to this page, kept for whoever wants to know why. */

export interface Refusal {
  message: string;
  /** Of the decision, in the server's records; null where they were not asked for it. */
  decision: string | null;
  /** What was refused, where that is known without the records. */
  asked?: { action: string; resource: string };
}

/** Refusals that are kept; what is on the screen is about one of the last. */
const KEPT = 20;

/** The refusal that the body of an answer tells of; null where it tells of none of ours. */
export function refusalIn(said: unknown): Refusal | null {
  if (typeof said !== 'object' || said === null) {
    return null;
  }
  const { message, decision_id: decision } = said as Partial<Record<string, unknown>>;
  return typeof message === 'string' && typeof decision === 'string' && message !== ''
    ? { message, decision }
    : null;
}

export class Heard {
  private readonly kept: Refusal[] = [];

  note(refusal: Refusal): void {
    this.kept.unshift(refusal);
    this.kept.length = Math.min(this.kept.length, KEPT);
  }

  /** Keep what would be refused, unless it is known that it was. */
  expect(refusal: Refusal): void {
    if (!this.find(refusal.message)) {
      this.note(refusal);
    }
  }

  /** The last refusal whose sentence is part of `text`. */
  find(text: string | null): Refusal | undefined {
    return this.kept.find(each => text?.includes(each.message));
  }
}
