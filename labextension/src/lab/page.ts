/** The access page as a tab of the main area, or in Notebook 7 of the browser. */
import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { Widget } from '@lumino/widgets';
import type { Client } from '../client.js';
import { h } from '../dom.js';
import type { Standings } from '../me.js';
import { WORDS } from '../words.js';

const ID = 'authz-access-page';

/** Opens the page, once; what it is made of is loaded when it is opened first. */
export class AccessTab {
  private widget: MainAreaWidget | null = null;
  private readonly tracker = new WidgetTracker<MainAreaWidget>({ namespace: ID });

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly client: Client,
    private readonly standings: Standings,
    restorer: ILayoutRestorer | null,
    command: string
  ) {
    void restorer?.restore(this.tracker, { command, name: () => ID });
  }

  async open(): Promise<void> {
    if (PageConfig.getOption('notebookPage') !== '') {
      // Notebook 7 has one thing in each tab of the browser, and drops a second.
      window.open(`${this.client.base}authz`, '_blank', 'noopener');
      return;
    }
    if (!this.widget || this.widget.isDisposed) {
      this.widget = await this.make();
    }
    if (!this.widget) {
      return;
    }
    if (!this.widget.isAttached) {
      this.app.shell.add(this.widget, 'main');
      void this.tracker.add(this.widget);
    }
    this.app.shell.activateById(this.widget.id);
  }

  private async make(): Promise<MainAreaWidget | null> {
    const me = await this.standings.whoAmI();
    if (!me) {
      return null;
    }
    const [{ accessPage }, { sure }] = await Promise.all([
      import('../page/access.js'),
      import('../page/sure.js')
    ]);
    const root = h('div', { class: 'authz authz-page' });
    let at = '';
    const open = accessPage(
      root,
      { client: this.client, standings: this.standings, me, sure },
      {
        read: () => at,
        go: to => {
          at = to;
          open();
        }
      }
    );
    open();
    const content = new Widget({ node: h('div', { class: 'authz-Page' }, root) });
    const widget = new MainAreaWidget({ content });
    widget.id = ID;
    widget.title.label = WORDS.pageTitle;
    widget.title.closable = true;
    return widget;
  }
}
