/** What the server has refused to this page: a dialog or toast that says the same gets the
 * way to the reason. */
import type { Dialog } from '@jupyterlab/apputils';
import { Dialog as Dialogs, Notification } from '@jupyterlab/apputils';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ServerConnection } from '@jupyterlab/services';
import { h } from '../dom.js';
import type { Refusal } from '../heard.js';
import { Heard, refusalIn } from '../heard.js';
import { WORDS } from '../words.js';

export class Refusals {
  private readonly heard = new Heard();
  private readonly open = new Set<Dialog<unknown>>();
  private readonly offered = new WeakSet<Dialog<unknown>>();

  /** `explain` is called when somebody asks why. */
  constructor(private readonly explain: (refusal: Refusal) => void) {}

  /** Hear what the server answers to this front end, and see what is said to the person. */
  listen(app: JupyterFrontEnd): void {
    const { serverSettings, contents, sessions, kernels } = app.serviceManager;
    for (const settings of new Set([
      serverSettings,
      contents.serverSettings,
      sessions.serverSettings,
      kernels.serverSettings
    ])) {
      if (settings) {
        this.hear(settings);
      }
    }
    Dialogs.tracker.widgetAdded.connect((_, dialog) => {
      this.open.add(dialog);
      dialog.disposed.connect(() => this.open.delete(dialog));
      void dialog.ready.then(() => {
        this.offer(dialog);
      });
    });
    Notification.manager.changed.connect((_, { type, notification }) => {
      const found = type === 'added' ? this.heard.find(notification.message) : undefined;
      if (found && (notification.options.actions ?? []).length === 0) {
        Notification.update({
          id: notification.id,
          message: notification.message,
          type: notification.type,
          actions: [
            {
              label: WORDS.why,
              callback: () => {
                this.explain(found);
              }
            }
          ]
        });
      }
    });
  }

  private hear(settings: ServerConnection.ISettings): void {
    const fetched = settings.fetch;
    const heard: typeof fetched = async (...asked) => {
      const response = await fetched.call(null, ...asked);
      if (response.status === 403 || response.status === 404) {
        void this.read(response.clone());
      }
      return response;
    };
    // why: upstream's type is read-only, its object is not
    (settings as { fetch: typeof fetched }).fetch = heard;
  }

  private async read(response: Response): Promise<void> {
    try {
      const refusal = refusalIn(await response.json());
      if (refusal) {
        this.note(refusal);
      }
    } catch {
      // No JSON, so no refusal of this package.
    }
  }

  private note(refusal: Refusal): void {
    this.heard.note(refusal);
    for (const dialog of this.open) {
      if (dialog.isAttached) {
        this.offer(dialog);
      }
    }
  }

  /** Give `dialog` a button that asks why, where it tells of a refusal. */
  private offer(dialog: Dialog<unknown>): void {
    const found = this.heard.find(dialog.node.textContent);
    const footer = dialog.node.querySelector('.jp-Dialog-footer');
    const ours = dialog.node.querySelector('.authz-Dialog') !== null;
    if (!found || !footer || ours || this.offered.has(dialog)) {
      return;
    }
    this.offered.add(dialog);
    const button = h(
      'button',
      {
        type: 'button',
        class: 'jp-Dialog-button jp-mod-reject jp-mod-styled authz-Why',
        onclick: () => {
          dialog.reject();
          this.explain(found);
        },
        // Upstream takes Enter anywhere in a dialog for its own button.
        onkeydown: event => {
          event.stopPropagation();
        }
      },
      WORDS.why
    );
    footer.prepend(button);
  }
}
