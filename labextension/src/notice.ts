/** What to tell somebody whose rights on an open document have changed. */
import type { Can } from './words.js';
import { WORDS } from './words.js';

/** What was known of a document and its kernel at one time. */
export interface Seen {
  can: Can;
  kernelId: string | null;
  /** Whether the kernel is mine, and would see more if it started again. */
  lacks?: boolean;
}

/** `offers`: whether what stands on the page can be kept only elsewhere now. */
export interface Notice {
  text: string;
  lost: boolean;
  offers: boolean;
}

/** What the difference between two times means for the document called `name`. */
export function noticeOf(name: string, before: Seen, now: Seen): Notice | null {
  const lost = (text: string, offers: boolean): Notice => ({ text, lost: true, offers });
  const won = (text: string): Notice => ({ text, lost: false, offers: false });
  if (before.can.view && !now.can.view) {
    return lost(WORDS.gone(name), true);
  }
  if (before.can.edit && !now.can.edit) {
    return lost(WORDS.lowered(name), true);
  }
  if (!before.can.edit && now.can.edit) {
    return won(WORDS.raised(name));
  }
  // Without a kernel what one could run was a guess, and the end of one is no change of rights.
  if (before.kernelId === null || before.kernelId !== now.kernelId) {
    return null;
  }
  if (before.can.run && !now.can.run) {
    return lost(WORDS.stopped(name), false);
  }
  if (!before.can.run && now.can.run) {
    return won(WORDS.runAgain(name));
  }
  return !before.lacks && now.lacks ? won(WORDS.lacks(name)) : null;
}
