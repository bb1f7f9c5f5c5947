/** Explain: may this person do this, to this, and what decides it; and why a page was refused,
 * whose record the address names. */
import type { Explained } from '../decision.js';
import { decisionPart } from '../decision.js';
import { fill, h, labelled } from '../dom.js';
import { Say } from '../say.js';
import { ABILITIES } from '../vocabulary.js';
import { WhoField } from '../who.js';
import { whyPart } from '../why.js';
import { WORDS } from '../words.js';
import type { Tab } from './desk.js';

export const EXPLAIN: Tab = {
  id: 'explain',
  title: WORDS.tabs.explain,
  shown: () => true,
  draw: (desk, at) => {
    const who = new WhoField(desk.client, ['people']);
    who.input.value = desk.me.principal.name;
    const resource = h('input', {
      type: 'text',
      required: true,
      value: 'contents:/',
      maxlength: 4000
    });
    const action = h('select');
    const offer = (): void => {
      const type = resource.value.split(':', 1)[0];
      const kept = action.value;
      const known = ABILITIES.filter(each => each.type === type);
      fill(
        action,
        ...known.map(each =>
          h('option', { value: each.action, selected: each.action === kept }, each.action)
        )
      );
    };
    resource.addEventListener('input', offer);
    offer();
    const say = new Say();
    const found = h('div', { class: 'authz-explained', 'aria-live': 'polite' });
    const refused = h('div');
    if (at !== '') {
      void whyPart(desk.client, desk.standings, { message: '', decision: at }).then(part => {
        fill(refused, h('h3', {}, WORDS.whyTitle), part);
      });
    }
    return h(
      'div',
      {},
      refused,
      h(
        'form',
        {
          class: 'authz-row',
          onsubmit: event => {
            event.preventDefault();
            say.clear();
            fill(found);
            void say.trying(async () => {
              const asked = {
                principal: who.principal,
                action: action.value,
                resource: resource.value.trim()
              };
              const decision = await desk.client.post<Explained>('explain', asked);
              fill(found, decisionPart(decision, desk.me.principal.name));
            });
          }
        },
        labelled(WORDS.who, who.input),
        who.choices,
        labelled(WORDS.onWhat, resource),
        labelled(WORDS.doesWhat, action),
        h(
          'div',
          { class: 'authz-field' },
          h('button', { type: 'submit', class: 'authz-main' }, WORDS.explain)
        )
      ),
      say.node,
      found
    );
  }
};
