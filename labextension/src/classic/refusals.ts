/** What the server has refused to this page of nbclassic: a dialog that tells of it gets the way
 * to the reason, and what no dialog tells is told below the tool bar. */
import { h } from '../dom.js';
import { Heard, refusalIn } from '../heard.js';
import type { Refusal } from '../heard.js';
import { WORDS } from '../words.js';
import type { Answer, Dialogs, Classic, JQuery } from './jupyter.js';
import type { Notices } from './notices.js';

/** What somebody does there, and not the page by itself; of a start its own dialog tells. */
const DONE = /^api\/(contents|kernels|terminals)\b/;
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export class ClassicRefusals {
  private readonly heard = new Heard();
  private readonly offered = new WeakSet<Element>();

  /** `explain` makes what is shown to whoever asks why. */
  constructor(
    private readonly base: string,
    private readonly jquery: JQuery,
    private readonly dialogs: Dialogs,
    private readonly notebook: Classic['notebook'],
    private readonly notices: Notices,
    private readonly explain: (refusal: Refusal) => Promise<HTMLElement>
  ) {}

  /** Hear what the server answers to this page, and see what is said to the person. */
  listen(): void {
    const all = this.jquery(document);
    all.ajaxError((_, answer, asked) => {
      this.hear(answer, asked.url ?? '', (asked.type ?? 'GET').toUpperCase());
    });
    all.on('shown.bs.modal', '.modal', event => {
      this.offer(event.target);
    });
  }

  /** What would be refused, and may have been before this could hear of it. */
  expect(action: string, resource: string, message: string): void {
    this.heard.expect({ message, decision: null, asked: { action, resource } });
    this.offerAll();
  }

  private offerAll(): Element[] {
    const open = [...document.querySelectorAll('.modal.in')];
    open.forEach(each => {
      this.offer(each);
    });
    return open;
  }

  private hear(answer: Answer, address: string, method: string): void {
    const base = new URL(this.base, location.href).href;
    const url = new URL(address, location.href).href;
    const refusal = refusalIn(answer.responseJSON);
    // A cell's output may ask other sites, which say what they like.
    if (!refusal || !url.startsWith(base) || ![403, 404].includes(answer.status)) {
      return;
    }
    this.heard.note(refusal);
    const told = this.offerAll().some(each => this.offered.has(each) && says(each, refusal));
    if (!told && DONE.test(url.slice(base.length)) && !READING.has(method)) {
      this.tell(refusal);
    }
  }

  /** Tell it below the tool bar, with the way to the reason. */
  tell(refusal: Refusal): void {
    const why = { word: WORDS.why, act: () => void this.show(refusal) };
    const copy = this.notebook?.save_notebook_as?.bind(this.notebook);
    const saves = refusal.asked?.action === 'save' && copy !== undefined;
    const offers = saves ? [{ word: WORDS.saveCopy, act: copy }, why] : [why];
    this.notices.tell(refusal.message, 'refused', ...offers);
  }

  /** Give `dialog` a button that asks why, where it tells of a refusal. */
  private offer(dialog: Element): void {
    const found = this.heard.find(dialog.querySelector('.modal-body')?.textContent ?? null);
    const footer = dialog.querySelector('.modal-footer');
    if (!found || !footer || this.offered.has(dialog) || dialog.querySelector('.authz')) {
      return;
    }
    this.offered.add(dialog);
    footer.prepend(
      h(
        'button',
        {
          type: 'button',
          class: 'btn btn-default btn-sm authz-Why',
          'data-dismiss': 'modal',
          onclick: () => {
            // Once it is gone: nbclassic takes the keyboard back then.
            this.jquery(dialog).one('hidden.bs.modal', () => void this.show(found));
          }
        },
        WORDS.why
      )
    );
  }

  private async show(refusal: Refusal): Promise<void> {
    const part = await this.explain(refusal);
    const { notebook } = this;
    const dialog = this.dialogs.modal({
      title: WORDS.whyTitle,
      body: h('div', { class: 'authz' }, part),
      buttons: { [WORDS.close]: {} },
      ...(notebook ? { notebook } : {}),
      ...(notebook?.keyboard_manager ? { keyboard_manager: notebook.keyboard_manager } : {})
    });
    // Upstream's dialog has no name to be read out.
    dialog.attr('aria-label', WORDS.whyTitle);
  }
}

function says(dialog: Element, refusal: Refusal): boolean {
  return dialog.textContent?.includes(refusal.message) ?? false;
}
