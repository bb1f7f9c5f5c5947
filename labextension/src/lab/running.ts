/** In the list of what runs: what ends a kernel is grey where that is refused, with the reason. */
import { refusedBecause } from '../me.js';
import { drape, onRedraw } from './drape.js';
import type { Situation } from './gates.js';
import { stopAll } from './gates.js';

const LISTS = '.jp-RunningSessions, .jp-SearchableSessions';
const ENTRY = '.jp-RunningSessions-item[data-context] > .jp-RunningSessions-itemShutdown';
/** The part of the list that has the kernels is the one with this button in its tool bar. */
const KERNELS = '[data-command="running:kernel-shut-down-unused"]';

export class RunningLists {
  private readonly watched = new WeakSet<Node>();

  constructor(private readonly situation: () => Situation) {
    // One of them is a dialog.
    new MutationObserver(() => {
      this.mark();
    }).observe(document.body, { childList: true });
  }

  /** Look at each button again. */
  mark(): void {
    for (const list of document.querySelectorAll<HTMLElement>(LISTS)) {
      this.markIn(list);
      if (!this.watched.has(list)) {
        this.watched.add(list);
        onRedraw(list, () => {
          this.markIn(list);
        });
      }
    }
  }

  private markIn(list: HTMLElement): void {
    const at = this.situation();
    for (const button of list.querySelectorAll<HTMLElement>(ENTRY)) {
      const id = button.parentElement?.dataset.context ?? '';
      drape(button, refusedBecause(at.running().get(id)?.standing, 'stop'));
    }
    const all = list
      .querySelector(KERNELS)
      ?.closest('.jp-RunningSessions-section, .lm-AccordionPanel-title')
      ?.querySelector<HTMLElement>('.jp-RunningSessions-shutdownAll');
    if (all) {
      drape(all, stopAll(at));
    }
  }
}
