/** Looking around as another person: beginning it, ending it, and the bar that says so. */
import type { Client } from './client.js';
import { h } from './dom.js';
import type { Me } from './me.js';
import { Say } from './say.js';
import { WORDS } from './words.js';

/** How long a view lasts that nobody ends. */
const LASTS = WORDS.viewLasts;

/** Begin to look around as `principal` in this browser, once `sure` has said yes. */
export async function viewAs(
  client: Client,
  principal: string,
  sure: (title: string, sentence: string, yes: string) => Promise<boolean>
): Promise<void> {
  const sentence = `${WORDS.viewSentence} ${LASTS}`;
  if (await sure(WORDS.viewTitle(principal), sentence, WORDS.viewAs)) {
    await client.post('views', { principal, browser: true });
    location.reload();
  }
}

/** The bar of a browser that looks around as `me`; null where it does not. */
export function viewBar(client: Client, me: Me): HTMLElement | null {
  if (me.principal.viewer === null || me.principal.viewer === undefined) {
    return null;
  }
  const say = new Say();
  return h(
    'div',
    { class: 'authz authz-ViewBar', role: 'region', 'aria-label': WORDS.viewAs },
    h('span', {}, WORDS.viewing(me.principal.name)),
    h(
      'button',
      {
        type: 'button',
        onclick: () =>
          void say.trying(async () => {
            await client.delete('views/current');
            location.reload();
          })
      },
      WORDS.viewEnd
    ),
    say.node
  );
}

/** Who looks around as `me` at the moment, as a sentence; empty where nobody does. */
export function viewedSentence(me: Me): string {
  if (me.principal.viewer) {
    return '';
  }
  const names = [...new Set((me.viewed_by ?? []).map(each => each.viewer))];
  return names.length === 0 ? '' : WORDS.viewedBy(names.join(', '));
}
