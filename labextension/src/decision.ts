/** A decision as a tree: the answer, what it rests on, what would change it. */
import { h } from './dom.js';
import { shown } from './moments.js';
import { WORDS } from './words.js';

export interface Determinant {
  id: string;
  kind: string;
  effect: string;
  source: string;
  scope?: string;
  inherited_from?: string;
  ends?: string | number | null;
}

export interface Explained {
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

export function decisionPart(decision: Explained): HTMLElement {
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
