/** The button in a tool bar that starts the debugger, which is no command: grey where the kernel
 * takes no orders of one. */
import { drape, onRedraw } from './drape.js';
import type { Situation } from './gates.js';
import { debug } from './gates.js';

const BUTTON = '.jp-DebuggerBugButton';
/** Where a tool bar has what it has no room for; it can be opened only of what is in front. */
const MORE = '.jp-Toolbar-responsive-popup';

export class DebugButtons {
  private readonly watched = new WeakSet<Element>();

  /** `front` is what is in front, where anything is; the situation is its own. */
  constructor(
    private readonly front: () => Element | undefined,
    private readonly situation: () => Situation
  ) {}

  /** Look again at the button of what is in front. */
  mark(): void {
    const front = this.front();
    for (const toolbar of [
      ...(front?.querySelectorAll('.jp-Toolbar') ?? []),
      ...document.querySelectorAll(MORE)
    ]) {
      this.markIn(toolbar);
      if (!this.watched.has(toolbar)) {
        this.watched.add(toolbar);
        // The button comes and goes with what the kernel can.
        onRedraw(toolbar, () => {
          if (toolbar.matches(MORE) || this.front() === front) {
            this.markIn(toolbar);
          }
        });
      }
    }
  }

  private markIn(toolbar: Element): void {
    const reason = debug(this.situation());
    for (const button of toolbar.querySelectorAll<HTMLElement>(BUTTON)) {
      drape(button, reason);
    }
  }
}
