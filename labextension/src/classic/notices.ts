/** What the page has to tell, below nbclassic's tool bar: each stays until somebody closes it. */
import { h } from '../dom.js';
import { WORDS } from '../words.js';

export interface Offer {
  word: string;
  act: () => void;
}

/** Refusals that are shown at once: the notebook shall still be seen. */
const MOST = 3;

export class Notices {
  /** Read out as they come. */
  readonly node = h('div', { 'aria-live': 'polite' });

  /** Tell `text`; a refusal takes the place of what says the same. The answer takes it back. */
  tell(text: string, kind: 'lost' | 'won' | 'refused', ...offers: readonly Offer[]): () => void {
    if (kind === 'won') {
      // It has been given back: what was said about its loss is no longer so.
      this.node.replaceChildren();
    }
    const refused = [...this.node.querySelectorAll('[data-kind="refused"]')];
    if (kind === 'refused') {
      const same = refused.filter(each => each.firstElementChild?.textContent === text);
      (same.length > 0 ? same : refused.slice(0, 1 - MOST)).forEach(each => {
        each.remove();
      });
    }
    const close = (): void => {
      shown.remove();
      sized();
    };
    const shown = h(
      'div',
      {
        class: `alert authz-notice ${kind === 'won' ? 'alert-success' : 'alert-warning'}`,
        style: 'margin: 0',
        'data-kind': kind
      },
      h('span', {}, text),
      ...[...offers, { word: WORDS.close, act: () => undefined }].flatMap((each, n) => [
        ' ',
        button(each.word, () => {
          if (n === offers.length) {
            close();
          }
          each.act();
        })
      ])
    );
    this.node.append(shown);
    sized();
    return close;
  }
}

function button(word: string, act: () => void): HTMLElement {
  return h('button', { type: 'button', class: 'btn btn-default btn-xs', onclick: act }, word);
}

/** Have nbclassic lay out its page again: the notebook begins where its header ends. */
export function sized(): void {
  window.dispatchEvent(new Event('resize'));
}
