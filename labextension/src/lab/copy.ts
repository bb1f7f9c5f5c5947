/** "Save my copy…": what stands on the page goes to a file of one's own.
 *
 * It is offered in the document itself and not in a dialog: when a right is taken the front
 * end has dialogs of its own, about the kernel that ended with it, and waits for them. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry, DocumentWidget } from '@jupyterlab/docregistry';
import { Widget } from '@lumino/widgets';
import { Refused } from '../client.js';
import { fill, h, labelled } from '../dom.js';
import { Say } from '../say.js';
import { WORDS } from '../words.js';

/** The name that a copy of `path` is offered. */
export function copyName(path: string, who: string): string {
  const name = PathExt.basename(path);
  const ending = PathExt.extname(name);
  return `${name.slice(0, name.length - ending.length)}-${who}${ending}`;
}

/** Above a document: what has changed for its reader, and a form that saves a copy. */
export class CopyBanner extends Widget {
  private readonly say = new Say();
  private readonly said = h('p', { role: 'status', 'aria-live': 'polite' });
  private readonly place = h('div');
  private readonly inner: HTMLElement;
  private readonly sized: ResizeObserver;

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly panel: DocumentWidget,
    private readonly context: DocumentRegistry.Context,
    private readonly who: () => string
  ) {
    super();
    this.addClass('authz-Banner');
    this.inner = h(
      'section',
      { class: 'authz', 'aria-label': WORDS.saveCopyTitle },
      this.said,
      this.place,
      this.say.node
    );
    this.node.append(this.inner);
    this.hide();
    panel.contentHeader.addWidget(this);
    // The header gives its widgets the height that they ask for in their style.
    this.sized = new ResizeObserver(() => {
      if (!this.isDisposed && this.isVisible) {
        this.node.style.minHeight = `${this.inner.offsetHeight}px`;
        panel.contentHeader.fit();
      }
    });
    this.sized.observe(this.inner);
  }

  /** Say `sentence`, and offer to save a copy. */
  offer(sentence: string): void {
    fill(this.said, sentence);
    // What has been typed into an open form stays.
    if (this.place.querySelector('form') === null) {
      this.closed();
    }
    this.show();
  }

  /** Ask where to, whether or not it was offered. */
  ask(): void {
    const field =
      this.place.querySelector('input') ??
      h('input', {
        type: 'text',
        class: 'jp-mod-styled',
        autocomplete: 'off',
        spellcheck: 'false',
        value: copyName(this.context.path, this.who())
      });
    if (!field.isConnected) {
      this.say.clear();
      fill(this.place, this.form(field));
    }
    this.show();
    field.focus();
    field.select();
  }

  /** There is no more cause for it. */
  withdraw(): void {
    if (this.place.querySelector('form') === null) {
      this.hide();
    }
  }

  override dispose(): void {
    this.sized.disconnect();
    super.dispose();
  }

  private form(field: HTMLInputElement): HTMLElement {
    const save = h('button', { type: 'submit', class: 'authz-main' }, WORDS.save);
    return h(
      'form',
      {
        class: 'authz-row',
        onsubmit: event => {
          event.preventDefault();
          const path = field.value.trim();
          if (path === '' || save.disabled) {
            field.focus();
            return;
          }
          save.disabled = true;
          void this.say
            .trying(async () => {
              await saveTo(this.app, this.context, path);
              this.closed();
              this.say.done(WORDS.copySaved(path));
            })
            .then(() => {
              save.disabled = false;
            });
        }
      },
      labelled(WORDS.saveCopyLabel, field),
      h(
        'div',
        { class: 'authz-field' },
        save,
        h('button', { type: 'button', onclick: this.closed }, WORDS.cancel)
      )
    );
  }

  private readonly closed = (): void => {
    this.say.clear();
    fill(
      this.place,
      h(
        'button',
        {
          type: 'button',
          onclick: () => {
            this.ask();
          }
        },
        WORDS.saveCopy
      ),
      h(
        'button',
        {
          type: 'button',
          onclick: () => {
            this.hide();
            this.panel.content.activate();
          }
        },
        WORDS.close
      )
    );
  };
}

/** Save what the page has to `path`, where nothing is yet. */
async function saveTo(
  app: JupyterFrontEnd,
  context: DocumentRegistry.Context,
  path: string
): Promise<void> {
  const manager = app.serviceManager.contents;
  const type = context.contentsModel?.type ?? 'file';
  try {
    // Asked first, so that no file of somebody's is written over.
    const there = await manager.get(path, { content: false }).then(
      () => true,
      () => false
    );
    if (there) {
      throw new Refused(WORDS.copyThere(path), 409);
    }
    await manager.save(path, {
      type,
      format: type === 'notebook' ? 'json' : 'text',
      content: type === 'notebook' ? context.model.toJSON() : context.model.toString()
    });
  } catch (error) {
    if (error instanceof Refused) {
      throw error;
    }
    throw new Refused(error instanceof Error ? error.message : WORDS.broken, 0);
  }
}
