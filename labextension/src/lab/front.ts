/** What is in front at this moment, and what I may do with it. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { FileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { Standing, Standings } from '../me.js';
import { contents, refusedBecause } from '../me.js';
import type { Can } from '../words.js';
import type { Running, Situation } from './gates.js';
import { canOf } from './rights.js';

const SERVER = 'server:';

/** Follows the document in front and the file browser; keeps no answer of its own. */
export class Front {
  private readonly listeners: (() => void)[] = [];
  private watched: DocumentRegistry.Context | null = null;
  private watchedSession: ISessionContext | null = null;
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
    browsers?.tracker.currentChanged.connect(again);
    const followBrowser = (browser: FileBrowser): void => {
      browser.model.pathChanged.connect(again);
      // Notebook 7 has buttons for what is selected.
      browser.selectionChanged.connect(again);
    };
    browsers?.tracker.widgetAdded.connect((_, browser) => {
      followBrowser(browser);
    });
    browsers?.tracker.forEach(followBrowser);
    document.addEventListener('contextmenu', again, { capture: true });
    let before = '';
    app.serviceManager.kernels.runningChanged.connect((_, kernels) => {
      // It tells as well which of them are at work, time and again.
      const now = kernels.map(each => each.id).join();
      if (now !== before) {
        before = now;
        again();
      }
    });
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

  /** The folder that the file browser shows; null where there is none. */
  private get folder(): string | null {
    return this.browsers?.tracker.currentWidget?.model.path ?? null;
  }

  /** The session of the document in front, or of the console. */
  private get session(): ISessionContext | null {
    const current = this.app.shell.currentWidget;
    const own = current && 'sessionContext' in current ? current.sessionContext : null;
    return this.context?.sessionContext ?? (own as ISessionContext | null);
  }

  get kernelId(): string | null {
    return this.session?.session?.kernel?.id ?? null;
  }

  /** The file or folder that is selected in the file browser; null for none or several. */
  get selectedPath(): string | null {
    const browser = this.browsers?.tracker.currentWidget;
    const selected = browser ? [...browser.selectedItems()] : [];
    return selected.length === 1 ? (selected[0]?.path ?? null) : null;
  }

  /** What I can do with the document in front, or where there is none in the folder shown. */
  get can(): Can | null {
    const file = this.peek(this.path ?? this.folder);
    return file ? canOf(file, this.kernel ?? null) : null;
  }

  get situation(): Situation {
    const browser = this.browsers?.tracker.currentWidget;
    const selected = browser ? [...browser.selectedItems()] : [];
    return {
      front: this.app.shell.currentWidget?.id ?? null,
      file: this.peek(this.path),
      kernel: this.kernel,
      hasKernel: this.kernelId !== null,
      running: () => this.running,
      pointed: () => this.pointed,
      selected: selected.map(item => this.peek(item.path)),
      selectedPaths: selected.map(item => item.path),
      around: this.peek(this.around),
      folder: this.peek(this.folder),
      server: this.standings.peek(SERVER),
      terminals: this.standings.me?.abilities.terminals
    };
  }

  /** Ask for what is in front now, then tell. */
  async update(): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    this.follow(this.context);
    const { kernels } = this.app.serviceManager;
    const resources = [SERVER, ...[...kernels.running()].map(each => `kernels:${each.id}`)];
    for (const path of [this.path, this.around, this.folder]) {
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
    await Promise.all(resources.map(resource => this.standings.of(resource)));
    if (mine === this.asked) {
      this.tell();
    }
  }

  private tell(): void {
    for (const listener of this.listeners) {
      listener();
    }
  }

  private get running(): Map<string, Running> {
    const { kernels, sessions } = this.app.serviceManager;
    const paths = new Map<string, string[]>();
    for (const { kernel, path } of sessions.running()) {
      if (kernel) {
        paths.set(kernel.id, [...(paths.get(kernel.id) ?? []), path]);
      }
    }
    return new Map(
      [...kernels.running()].map(each => [
        each.id,
        {
          standing: this.standings.peek(`kernels:${each.id}`),
          unused: (each.connections ?? 1) < 1,
          paths: paths.get(each.id) ?? []
        }
      ])
    );
  }

  /** The kernel whose entry in the list of those that run has the menu that is open. */
  private get pointed(): string | null {
    const entry = this.app.contextMenuHitTest(node =>
      node.classList.contains('jp-RunningSessions-item')
    );
    return entry?.dataset.context ?? null;
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
    const again = (): void => void this.update();
    if (context && context !== this.watched) {
      this.watched = context;
      context.pathChanged.connect(again);
    }
    const { session } = this;
    if (session && session !== this.watchedSession) {
      this.watchedSession = session;
      session.kernelChanged.connect(again);
    }
  }

  private get kernel(): Standing | undefined {
    return this.kernelId === null ? undefined : this.standings.peek(`kernels:${this.kernelId}`);
  }

  private peek(path: string | null): Standing | undefined {
    return path === null ? undefined : this.standings.peek(contents(path));
  }
}
