/** The status item: who I am, and what I can do with the document in front. */
import { Widget } from '@lumino/widgets';
import { fill, h } from '../dom.js';
import type { Me } from '../me.js';
import type { Can } from '../words.js';
import { canSentence, WORDS } from '../words.js';

export class StatusItem extends Widget {
  private shown = '';

  constructor(private readonly onClick: () => void) {
    super();
    this.addClass('authz-Status');
  }

  /** Show `me`, and `can` of the document in front where there is one. */
  say(me: Me, can: Can | null): void {
    const who = me.principal.display_name;
    const text = can === null ? who : WORDS.status(who, canSentence(can));
    const shown = JSON.stringify([me.mode, text]);
    if (shown === this.shown) {
      return;
    }
    // Drawn for news alone: somebody's keyboard may be at it.
    this.shown = shown;
    fill(
      this.node,
      me.mode === 'shadow' ? h('strong', { class: 'authz-shadow' }, WORDS.shadow) : null,
      h('button', { type: 'button', title: WORDS.statusTitle, onclick: this.onClick }, text)
    );
  }
}
