/** What the server has refused to this page: a dialog or toast that says the same gets the
 * way to the reason, and what nobody says is said. */
import type { Dialog } from '@jupyterlab/apputils';
import { Dialog as Dialogs, Notification } from '@jupyterlab/apputils';
import { ServerConnection } from '@jupyterlab/services';
import { h } from '../dom.js';
import { isGitAct } from '../git.js';
import type { Refusal } from '../heard.js';
import { Heard, refusalIn } from '../heard.js';
import { WORDS } from '../words.js';

/** Milliseconds for whoever asked to say themselves what was refused. */
const MOMENT = 500;

export class Refusals {
  private readonly heard = new Heard();
  private readonly open = new Set<Dialog<unknown>>();
  private readonly offered = new WeakSet<Dialog<unknown>>();

  /** `explain` is called when somebody asks why, `say` with what nobody else says. */
  constructor(
    private readonly explain: (refusal: Refusal) => void,
    private readonly say: (refusal: Refusal) => void
  ) {}

  /** Hear what the server answers to this front end, and see what is said to the person. */
  listen(): void {
    this.hear();
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

  /** Hear all that goes through upstream's one way to ask, whichever extension asks. */
  private hear(): void {
    // why: upstream's type is read-only, its object is not
    const way = ServerConnection as { makeRequest: typeof ServerConnection.makeRequest };
    const asks = way.makeRequest;
    way.makeRequest = async (url, init, settings) => {
      const response = await asks(url, init, settings);
      if (response.status === 403 || response.status === 404) {
        const base = new URL(settings.baseUrl, location.href).href;
        const path = new URL(url, base).href.replace(base, '');
        void this.read(response.clone(), isGitAct(init.method ?? 'GET', path));
      }
      return response;
    };
  }

  private async read(response: Response, isAct: boolean): Promise<void> {
    try {
      const refusal = refusalIn(await response.json());
      if (refusal) {
        this.note(refusal);
        if (isAct) {
          setTimeout(() => {
            this.sayUnlessSaid(refusal);
          }, MOMENT);
        }
      }
    } catch {
      // No JSON, so no refusal of this package.
    }
  }

  private sayUnlessSaid(refusal: Refusal): void {
    const isSaid = [...this.open].some(each => each.node.textContent?.includes(refusal.message));
    if (!isSaid) {
      this.say(refusal);
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
