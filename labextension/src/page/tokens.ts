/** Tokens of one's own: for programs and agents, with less than oneself if one likes. */
import { fill, h, labelled } from '../dom.js';
import { once } from '../links.js';
import { List } from '../list.js';
import { meant, shown } from '../moments.js';
import { LEVELS } from '../vocabulary.js';
import { WORDS } from '../words.js';
import type { Desk } from './desk.js';

interface Token {
  id: string;
  name: string;
  created: string;
  ends: string | null;
  last_used: string | null;
  scope: readonly { level: string; resource: string }[] | null;
}

export function tokensPart(desk: Desk): HTMLElement {
  const made = h('div');
  const list: List<Token> = new List<Token>(desk.client, {
    caption: WORDS.yourTokens,
    path: 'tokens',
    empty: WORDS.noTokens,
    columns: [
      { title: WORDS.token, cell: each => each.name },
      {
        title: WORDS.level,
        cell: each =>
          each.scope?.map(one => `${one.level} ${WORDS.tokenOn} ${one.resource}`).join(', ') ??
          WORDS.tokenAll
      },
      { title: WORDS.until, cell: each => shown(each.ends) },
      { title: WORDS.lastUsed, cell: each => (each.last_used ? shown(each.last_used) : '') },
      {
        title: WORDS.act,
        cell: each =>
          h(
            'button',
            {
              type: 'button',
              'aria-label': `${WORDS.revoke}: ${each.name}`,
              onclick: () =>
                void list.say.trying(async () => {
                  await desk.client.delete(`tokens/${each.id}`);
                  await list.reload();
                })
            },
            WORDS.revoke
          )
      }
    ]
  });
  void list.reload();
  const name = h('input', { type: 'text', required: true, maxlength: 100, autocomplete: 'off' });
  const level = h(
    'select',
    {},
    h('option', { value: '' }, WORDS.tokenAll),
    ...LEVELS.map(each => h('option', { value: each.level }, each.level))
  );
  const on = h('input', { type: 'text', value: 'contents:/', maxlength: 4000 });
  const ends = h('input', { type: 'datetime-local' });
  return h(
    'div',
    {},
    list.node,
    h(
      'form',
      {
        class: 'authz-row',
        onsubmit: event => {
          event.preventDefault();
          void list.say.trying(async () => {
            const token = await desk.client.post<{ secret: string }>('tokens', {
              name: name.value.trim(),
              ends: meant(ends.value),
              ...(level.value === ''
                ? {}
                : { scope: [{ level: level.value, resource: on.value.trim() }] })
            });
            fill(made, once(token.secret, WORDS.once));
            name.value = '';
            await list.reload();
          });
        }
      },
      labelled(WORDS.tokenName, name),
      labelled(WORDS.tokenScope, level),
      labelled(WORDS.where, on),
      labelled(WORDS.until, ends),
      h('div', { class: 'authz-field' }, h('button', { type: 'submit' }, WORDS.tokenMake))
    ),
    made
  );
}
