/** Explain: may this person do this, to this, and what decides it. */
import { fill, h, labelled } from '../dom.js';
import { Say } from '../say.js';
import { shown } from '../moments.js';
import { ABILITIES } from '../vocabulary.js';
import { WhoField } from '../who.js';
import { WORDS } from '../words.js';
import type { Tab } from './desk.js';

interface Determinant {
  id: string;
  kind: string;
  effect: string;
  source: string;
  scope?: string;
  inherited_from?: string;
  ends?: string | number | null;
}

interface Explained {
  answer: string;
  principal: string;
  action: string;
  resource: string;
  needs: string;
  reason_user: string;
  reason_admin: string;
  revision: number;
  would_allow: readonly unknown[];
  determining: readonly Determinant[];
}

export const EXPLAIN: Tab = {
  id: 'explain',
  title: WORDS.tabs.explain,
  shown: () => true,
  draw: desk => {
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
    return h(
      'div',
      {},
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
              fill(found, drawn(await desk.client.post<Explained>('explain', asked)));
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

/** A decision as a tree: the answer, what it rests on, what would change it. */
function drawn(decision: Explained): HTMLElement {
  const allowed = decision.answer === 'allow';
  return h(
    'section',
    { 'data-answer': decision.answer },
    h('h3', {}, allowed ? WORDS.allowed : WORDS.denied),
    h('p', {}, decision.reason_user),
    decision.reason_admin === '' ? null : h('p', {}, decision.reason_admin),
    h('p', { class: 'authz-quiet' }, WORDS.needs(decision.needs, decision.revision)),
    decision.determining.length === 0
      ? h('p', {}, WORDS.nothingDecides)
      : h(
          'ul',
          { class: 'authz-tree' },
          ...decision.determining.map(each =>
            h(
              'li',
              { 'data-effect': each.effect },
              h('strong', {}, `${each.effect}: ${each.kind} ${each.id}`),
              h(
                'ul',
                {},
                each.scope ? h('li', {}, WORDS.scope(each.scope)) : null,
                each.inherited_from ? h('li', {}, WORDS.inherited(each.inherited_from)) : null,
                each.source === '' ? null : h('li', {}, WORDS.fromFile(each.source)),
                typeof each.ends === 'string'
                  ? h('li', {}, `${WORDS.until} ${shown(each.ends)}`)
                  : null
              )
            )
          )
        ),
    decision.would_allow.length === 0
      ? null
      : h(
          'div',
          {},
          h('h4', {}, WORDS.wouldAllow),
          h('ul', {}, ...decision.would_allow.map(each => h('li', {}, plain(each))))
        )
  );
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
