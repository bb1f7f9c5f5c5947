/** What is refused to somebody in nbclassic is grey, with the reason where one points at it. */
import type { Refusal } from '../heard.js';
import type { Standings } from '../me.js';
import { refusedBecause } from '../me.js';
import { WORDS } from '../words.js';

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

/** Of what somebody needs a right there, and which; of several actions one is enough. */
type Need = readonly [
  (
    | 'file'
    | 'kernel'
    | 'folder'
    | 'ticked'
    | 'tickedKernels'
    | 'entryKernel'
    | 'server'
    | 'terminals'
    | 'run'
  ),
  ...string[]
];

const action = (name: string): string => `[data-jupyter-action="jupyter-notebook:${name}"]`;
const NEEDS: readonly (readonly [string, Need])[] = [
  // The tool bar and the menus of a notebook.
  [`${action('save-notebook')}, #save_checkpoint, #save-file`, ['file', 'save']],
  [action('run-cell-and-select-next'), ['run']],
  ['#run_cell, #run_cell_select_below, #run_cell_insert_below', ['run']],
  ['#run_all_cells, #run_all_cells_above, #run_all_cells_below', ['run']],
  [`${action('interrupt-kernel')}, #int_kernel`, ['kernel', 'interrupt']],
  [`${action('confirm-restart-kernel')}, #restart_kernel`, ['kernel', 'restart']],
  ['#restart_clear_output, #restart_run_all', ['kernel', 'restart']],
  [action('confirm-restart-kernel-and-run-all-cells'), ['kernel', 'restart']],
  ['#shutdown_kernel, #close_and_halt', ['kernel', 'stop']],
  ['#menu-change-kernel', ['file', 'launch']],
  ['#new_notebook, #copy_notebook, #menubar #new-file', ['folder', 'create']],
  ['#rename_notebook, #rename-file', ['file', 'rename']],
  ['#restore_checkpoint', ['file', 'restore']],
  ['#trust_notebook', ['file', 'trust']],
  ['#download_menu > li', ['file', 'export']],
  ['#download-file', ['file', 'download']],
  // The list of files.
  ['#new-menu > #new-file, #new-menu > #new-folder', ['folder', 'create']],
  ['#new-menu > [id^="kernel-"]', ['folder', 'create']],
  ['#new-terminal', ['terminals', 'start']],
  ['#upload_span', ['folder', 'upload']],
  ['.duplicate-button', ['folder', 'create']],
  ['.rename-button, .move-button', ['ticked', 'rename']],
  ['.download-button', ['ticked', 'download']],
  ['.delete-button', ['ticked', 'delete']],
  ['.shutdown-button', ['tickedKernels', 'stop']],
  ['#running_list .list_item .btn-warning', ['entryKernel', 'stop']],
  ['#shutdown', ['server', 'administer']]
];

/** Why something is refused, and what was asked. */
interface Reason {
  message: string;
  action: string;
  resource: string;
}

export class Greys {
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
    await this.standings.whoAmI();
    const { file, kernel, folder, ticked, kernels } = this.about();
    const asked = [file, kernel, folder, ...ticked, ...kernels.values(), 'server:'];
    await Promise.all(
      asked.filter(each => each !== undefined).map(each => this.standings.of(each))
    );
    for (const [selector, need] of NEEDS) {
      for (const found of document.querySelectorAll<HTMLElement>(selector)) {
        drape(found, this.reason(need, found)?.message ?? null);
      }
    }
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
      const { message, ...asked } = reason;
      this.refuse({ message, decision: null, asked });
    }
  }

  /** Why `node`, which needs `need`, is refused; null where it is not, or nobody knows. */
  private reason([of, ...actions]: Need, node: Element): Reason | null {
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
      case 'ticked':
        return first(at.ticked, ...actions);
      case 'tickedKernels':
        return first(
          at.ticked.map(each => at.kernels.get(each)),
          ...actions
        );
      case 'entryKernel':
        return first([at.kernels.get(at.entry(node))], ...actions);
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

/** Make `node` grey for `reason`, or as it was where that is null. */
function drape(node: HTMLElement, reason: string | null): void {
  const before = node.dataset.authzTitle;
  if (reason === null) {
    if (before !== undefined) {
      node.title = before;
      node.classList.remove('disabled');
      node.removeAttribute('aria-disabled');
      delete node.dataset.authzTitle;
    }
    return;
  }
  node.dataset.authzTitle ??= node.title;
  node.title = reason;
  node.classList.add('disabled');
  node.setAttribute('aria-disabled', 'true');
}
