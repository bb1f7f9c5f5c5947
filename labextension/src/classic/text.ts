/** The text on the page of nbclassic's editor: it takes nothing where that could not be saved. */
import { canOf } from '../lab/rights.js';
import type { Standings } from '../me.js';
import { isGuest } from '../me.js';
import { badgeWord, canSentence, ofText } from '../words.js';

interface Editor extends Element {
  CodeMirror?: { setOption: (name: 'readOnly', value: boolean) => void };
}

export class Text {
  /** `badge` is to say what one can do with `resource`. */
  constructor(
    private readonly standings: Standings,
    private readonly resource: string,
    readonly badge: HTMLElement
  ) {
    // Bootstrap's buttons are shown for all that `hidden` says.
    badge.style.display = 'none';
  }

  /** Look again whether it takes anything. */
  look(): void {
    const standing = this.standings.peek(this.resource);
    if (standing === undefined) {
      return;
    }
    const can = ofText(canOf(standing, null));
    document.querySelector<Editor>('.CodeMirror')?.CodeMirror?.setOption('readOnly', !can.edit);
    this.badge.style.display = '';
    this.badge.textContent = badgeWord(can);
    this.badge.title = canSentence(can);
    if (isGuest(this.standings.me)) {
      this.badge.removeAttribute('href');
    }
  }
}
