/** A decision as a tree: the answer, what it rests on, what would change it. */
import { h, prose } from './dom.js';
import { shown } from './moments.js';
import { whole, WORDS } from './words.js';

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
  /** Whoever could give what is missing; not there on an older server. */
  could_grant?: readonly string[];
  determining: readonly Determinant[];
}

/** `decision`, told to whoever asks; `own` is how they are called, so that what another person
 * reads is not said of them, and `told` what they have been told already. */
export function decisionPart(decision: Explained, own: string, told = ''): HTMLElement {
  const allowed = decision.answer === 'allow';
  const said = whole(decision.reason_user);
  const theirs = said !== '' && decision.principal !== own;
  return h(
    'section',
    { 'data-answer': decision.answer },
    h('h3', {}, allowed ? WORDS.allowed : WORDS.denied),
    said === told ? null : h('p', {}, theirs ? WORDS.theyRead(decision.principal, said) : said),
    decision.reason_admin === '' ? null : h('p', {}, ...prose(whole(decision.reason_admin))),
    h('p', { class: 'authz-quiet' }, WORDS.needs(decision.needs, decision.revision)),
    decision.determining.length === 0
      ? // Who is told the reason is told of all that decides.
        decision.reason_admin === '' && h('p', {}, WORDS.nothingDecides)
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
                each.inherited_from ? h('li', {}, inheritedFrom(each.inherited_from)) : null,
                ['', 'store'].includes(each.source)
                  ? null
                  : h('li', {}, WORDS.fromFile(each.source)),
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
          h('ul', {}, ...decision.would_allow.map(each => h('li', {}, ...prose(plain(each)))))
        ),
    (decision.could_grant ?? []).length === 0
      ? null
      : h(
          'div',
          {},
          h('h4', {}, WORDS.couldGrant),
          h('ul', {}, ...(decision.could_grant ?? []).map(each => h('li', {}, each)))
        )
  );
}

/** Where above it a grant stands that reaches something. */
export function inheritedFrom(resource: string): string {
  return resource === 'server:' ? WORDS.inheritedAll : WORDS.inherited(resource);
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
