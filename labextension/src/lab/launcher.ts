/** In the launcher: cards of what is refused are grey, with the reason. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { GATES } from './gates.js';
import type { Situation } from './gates.js';

const CARD = '.jp-LauncherCard';
const REFUSED = 'authz-mod-refused';

/** Greys the cards of every launcher that is open. */
export class Launchers {
  private readonly watched = new WeakSet<Node>();

  /** `specReason` says of a kernelspec, by the name that is shown, why it is refused. */
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly situation: () => Situation,
    private readonly specReason: (shown: string) => string | null,
    onRefused: (reason: string) => void
  ) {
    const stop = (event: Event): void => {
      const card =
        event.target instanceof Element ? event.target.closest<HTMLElement>(CARD) : null;
      const enters = !(event instanceof KeyboardEvent) || event.key === 'Enter';
      if (card?.classList.contains(REFUSED) && enters) {
        event.stopPropagation();
        event.preventDefault();
        onRefused(card.title);
      }
    };
    document.addEventListener('click', stop, { capture: true });
    document.addEventListener('keypress', stop, { capture: true });
  }

  /** Look at each card again. */
  mark(): void {
    for (const node of document.querySelectorAll<HTMLElement>('.jp-Launcher')) {
      this.markIn(node);
      if (!this.watched.has(node)) {
        this.watched.add(node);
        // Drawn anew for each folder and each list of kernels.
        new MutationObserver(() => {
          this.markIn(node);
        }).observe(node, { childList: true, subtree: true });
      }
    }
  }

  private markIn(node: HTMLElement): void {
    const at = this.situation();
    const labels = this.labels();
    for (const card of node.querySelectorAll<HTMLElement>(CARD)) {
      const reason = this.reason(card, at, labels);
      card.classList.toggle(REFUSED, reason !== null);
      if (reason !== null) {
        card.dataset.authzTitle ??= card.title;
        card.title = reason;
        card.setAttribute('aria-disabled', 'true');
      } else if (card.dataset.authzTitle !== undefined) {
        card.title = card.dataset.authzTitle;
        delete card.dataset.authzTitle;
        card.removeAttribute('aria-disabled');
      }
    }
  }

  /** Of most cards only the label is in the page; each command says what its own is. */
  private labels(): Map<string, string> {
    const { commands } = this.app;
    return new Map(
      Object.keys(GATES)
        .filter(id => id.includes(':create-') && commands.hasCommand(id))
        .map(id => [commands.label(id, { isLauncher: true }), id])
    );
  }

  private reason(
    card: HTMLElement,
    at: Situation,
    labels: ReadonlyMap<string, string>
  ): string | null {
    const shown = card.querySelector('.jp-LauncherCard-label')?.textContent?.trim() ?? '';
    const category = card.dataset.category ?? '';
    const gate = (id: string): string | null => GATES[id]?.(at) ?? null;
    if (category === 'Notebook' || category === 'Console') {
      const id = category === 'Notebook' ? 'notebook:create-new' : 'console:create';
      return gate(id) ?? this.specReason(shown);
    }
    const found = labels.get(shown);
    if (found !== undefined) {
      return gate(found);
    }
    return / File$/.test(shown) ? gate('fileeditor:create-new') : null;
  }
}
