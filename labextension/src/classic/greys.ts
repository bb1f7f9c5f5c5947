/** What is refused to somebody in nbclassic is grey, with the reason where one points at it. */
import type { Refusal } from '../heard.js';
import type { Standings } from '../me.js';
import { refusedBecause } from '../me.js';
import { canOf, isFrozen } from '../lab/rights.js';
import { WORDS } from '../words.js';
import type { Actions } from './jupyter.js';
import type { Need } from './needs.js';
import { NEED_OF, NEEDS } from './needs.js';

/** What a page of nbclassic is about at this moment, each by its resource. */
export interface About {
  /** The document of the page, and its kernel where one runs. */
  file?: string;
  kernel?: string;
  /** The folder that is shown, or that the document is in. */
  folder: string;
  /** What is ticked in a listing. */
  ticked: readonly string[];
  /** The kernels that run, each by its document. */
  kernels: ReadonlyMap<string, string>;
  /** The document that an entry of a listing stands for. */
  entry: (node: Element) => string;
}

/** Why something is refused, and what was asked. */
interface Reason {
  message: string;
  action: string;
  resource: string;
}

export class Greys {
  /** Called when it may be otherwise than it was. */
  onLook: () => void = () => undefined;

  /** `about` says what the page is about now; `refuse` tells somebody who presses it anyway. */
  constructor(
    private readonly standings: Standings,
    private readonly about: () => About,
    private readonly refuse: (refusal: Refusal) => void
  ) {}

  /** Grey what is refused, now and after each change. */
  begin(): void {
    document.addEventListener(
      'click',
      event => {
        this.stop(event);
        // What is ticked, or what a menu has, is known once nbclassic has heard of the click.
        setTimeout(() => void this.mark(), 0);
      },
      { capture: true }
    );
    this.standings.onChange(() => void this.mark());
    void this.mark();
  }

  /** Look at each again. */
  async mark(): Promise<void> {
    const { file, kernel, folder, ticked, kernels } = this.about();
    const asked = [file, kernel, folder, ...ticked, ...kernels.values(), 'server:'];
    await Promise.all([
      this.standings.whoAmI(),
      ...asked.filter(each => each !== undefined).map(each => this.standings.of(each))
    ]);
    this.onLook();
    for (const [selector, need] of NEEDS) {
      for (const found of document.querySelectorAll<HTMLElement>(selector)) {
        drape(found, this.reason(need, found)?.message ?? null);
      }
    }
  }

  /** Have a key, or the palette, that asks for one of `actions` be told why it is refused. */
  guard(actions: Actions): void {
    const call = actions.call.bind(actions);
    // Of their kind: they themselves are sealed.
    const kind = Object.getPrototypeOf(actions) as Actions;
    kind.call = (name, event, env): unknown => {
      const need = NEED_OF.get(name);
      const reason = need ? this.reason(need, null) : null;
      if (reason === null) {
        return call(name, event, env);
      }
      event?.preventDefault();
      this.tell(reason);
      // As an action of nbclassic's own says that it has dealt with the key.
      return false;
    };
  }

  /** Whether the cells of the page take nothing, since they could be neither saved nor run. */
  get frozen(): boolean {
    const { file, kernel } = this.about();
    const standing = file === undefined ? undefined : this.standings.peek(file);
    const running = kernel === undefined ? null : this.standings.peek(kernel);
    // What is not known is not refused.
    return standing !== undefined && running !== undefined && isFrozen(canOf(standing, running));
  }

  private stop(event: Event): void {
    if (!(event.target instanceof Element)) {
      return;
    }
    const { target } = event;
    const [selector, need] = NEEDS.find(([each]) => target.closest(each) !== null) ?? [];
    const pressed = selector === undefined ? null : target.closest(selector);
    const reason = need && pressed ? this.reason(need, pressed) : null;
    if (reason !== null) {
      event.stopPropagation();
      event.preventDefault();
      this.tell(reason);
    }
  }

  private tell({ message, ...asked }: Reason): void {
    this.refuse({ message, decision: null, asked });
  }

  /** Why what needs `need` is refused; null where it is not, or nobody knows. `node` is its place
   * in the page; a key has none. */
  private reason([of, ...actions]: Need, node: Element | null): Reason | null {
    const at = this.about();
    const first = (
      resources: readonly (string | undefined)[],
      ...names: string[]
    ): Reason | null => {
      for (const resource of resources) {
        const standing = resource === undefined ? undefined : this.standings.peek(resource);
        const message = refusedBecause(standing, ...names);
        if (message !== null && resource !== undefined) {
          return { message, action: names[0] ?? '', resource };
        }
      }
      return null;
    };
    switch (of) {
      case 'run':
        return at.kernel === undefined
          ? first([at.file], 'launch')
          : first([at.kernel], 'run', 'run_saved');
      case 'kernelOrNew':
        return at.kernel === undefined
          ? first([at.file], 'launch')
          : first([at.kernel], ...actions);
      case 'cells':
        return this.frozen ? first([at.file], 'save') : null;
      case 'ticked':
        return first(at.ticked, ...actions);
      case 'tickedKernels':
        return first(
          at.ticked.map(each => at.kernels.get(each)),
          ...actions
        );
      case 'entryKernel':
        return first([node ? at.kernels.get(at.entry(node)) : undefined], ...actions);
      case 'server':
        return first(['server:'], ...actions);
      case 'terminals': {
        const start = this.standings.me?.abilities.terminals.start;
        return start && !start.allowed
          ? { message: start.reason ?? WORDS.notAllowed, action: 'start', resource: 'terminals:' }
          : null;
      }
      default:
        return first([at[of]], ...actions);
    }
  }
}

/**
 * Make `node` grey for `reason`, or as it was where that is null.
 *
 * nbclassic greys some of its own, for reasons of its own and whenever it likes; so what is
 * grey here has another mark, which takes away none of its.
 */
function drape(node: HTMLElement, reason: string | null): void {
  const select = node instanceof HTMLSelectElement ? node : null;
  const before = node.dataset.authzGrey;
  if (reason === null) {
    if (before !== undefined) {
      node.title = before;
      node.removeAttribute('aria-disabled');
      delete node.dataset.authzGrey;
      if (select) {
        select.disabled = select.dataset.authzOwn === 'true';
      }
    }
    return;
  }
  if (before === undefined) {
    node.dataset.authzGrey = node.title;
    if (node.title !== '' && node.innerText.trim() === '' && !node.hasAttribute('aria-label')) {
      // What has no words is called by its title, which is the reason from here on.
      node.setAttribute('aria-label', node.title);
    }
    if (select) {
      select.dataset.authzOwn = String(select.disabled);
    }
  }
  node.title = reason;
  node.setAttribute('aria-disabled', 'true');
  if (select) {
    // It opens without a click.
    select.disabled = true;
  }
}
