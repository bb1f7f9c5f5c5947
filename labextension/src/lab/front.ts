/** What is in front at this moment, and what I may do with it. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { Standing, Standings } from '../me.js';
import { contents, refusedBecause } from '../me.js';
import type { Can } from '../words.js';
import type { Situation } from './gates.js';
import { canOf } from './rights.js';

const SERVER = 'server:';

/** Follows the document in front and the file browser; keeps no answer of its own. */
export class Front {
  private readonly listeners: (() => void)[] = [];
  private watched: DocumentRegistry.Context | null = null;
  private asked = 0;

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly standings: Standings,
    private readonly documents: IDocumentManager | null,
    private readonly browsers: IFileBrowserFactory | null
  ) {
    const again = (): void => void this.update();
    app.shell.currentChanged?.connect(again);
    standings.onChange(again);
    // The file browser has no signal for what is selected; its menus ask when they open.
    browsers?.tracker.currentChanged.connect(again);
    browsers?.tracker.widgetAdded.connect((_, browser) => {
      browser.model.pathChanged.connect(again);
    });
    browsers?.tracker.forEach(browser => browser.model.pathChanged.connect(again));
    document.addEventListener('contextmenu', again, { capture: true });
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** The document in front; null where there is none. */
  get context(): DocumentRegistry.Context | null {
    const current = this.app.shell.currentWidget;
    return (current && this.documents?.contextForWidget(current)) ?? null;
  }

  get path(): string | null {
    return this.context?.path ?? null;
  }

  /** The folder that the document in front is in; null where there is none. */
  private get around(): string | null {
    return this.path === null ? null : PathExt.dirname(this.path);
  }

  get kernelId(): string | null {
    return this.context?.sessionContext.session?.kernel?.id ?? null;
  }

  /** The file or folder that is selected in the file browser; null for none or several. */
  get selectedPath(): string | null {
    const browser = this.browsers?.tracker.currentWidget;
    const selected = browser ? [...browser.selectedItems()] : [];
    return selected.length === 1 ? (selected[0]?.path ?? null) : null;
  }

  get can(): Can | null {
    const file = this.peek(this.path);
    return file ? canOf(file, this.kernel ?? null) : null;
  }

  get situation(): Situation {
    const browser = this.browsers?.tracker.currentWidget;
    return {
      front: this.app.shell.currentWidget?.id ?? null,
      file: this.peek(this.path),
      kernel: this.kernel,
      hasKernel: this.kernelId !== null,
      selected: browser ? [...browser.selectedItems()].map(item => this.peek(item.path)) : [],
      around: this.peek(this.around),
      folder: this.peek(browser?.model.path ?? null),
      server: this.standings.peek(SERVER),
      terminals: this.standings.me?.abilities.terminals
    };
  }

  /** Ask for what is in front now, then tell. */
  async update(): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    this.follow(this.context);
    const resources = [SERVER];
    for (const path of [this.path, this.around]) {
      if (path !== null) {
        resources.push(contents(path));
      }
    }
    if (this.kernelId !== null) {
      resources.push(`kernels:${this.kernelId}`);
    }
    for (const name of Object.keys(this.specs)) {
      resources.push(`kernelspecs:${name}`);
    }
    const folder = this.browsers?.tracker.currentWidget?.model.path;
    if (folder !== undefined) {
      resources.push(contents(folder));
    }
    await Promise.all(resources.map(resource => this.standings.of(resource)));
    if (mine === this.asked) {
      for (const listener of this.listeners) {
        listener();
      }
    }
  }

  /** Why no kernel of the spec that is shown as `shown` can be started; null where it can. */
  specReason(shown: string): string | null {
    const found = Object.values(this.specs).find(each => each?.display_name === shown);
    return found
      ? refusedBecause(this.standings.peek(`kernelspecs:${found.name}`), 'launch')
      : null;
  }

  private get specs(): Partial<Record<string, { name: string; display_name: string }>> {
    return this.app.serviceManager.kernelspecs.specs?.kernelspecs ?? {};
  }

  private follow(context: DocumentRegistry.Context | null): void {
    if (context && context !== this.watched) {
      this.watched = context;
      const again = (): void => void this.update();
      context.pathChanged.connect(again);
      context.sessionContext.kernelChanged.connect(again);
    }
  }

  private get kernel(): Standing | undefined {
    return this.kernelId === null ? undefined : this.standings.peek(`kernels:${this.kernelId}`);
  }

  private peek(path: string | null): Standing | undefined {
    return path === null ? undefined : this.standings.peek(contents(path));
  }
}
