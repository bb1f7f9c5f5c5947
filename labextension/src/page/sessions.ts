/** Where one is signed in, and how to end that elsewhere. */
import { h } from '../dom.js';
import { List } from '../list.js';
import { shown } from '../moments.js';
import { WORDS } from '../words.js';
import type { Desk } from './desk.js';

interface Session {
  id: string;
  created: string;
  ends: string;
  last_seen: string;
  address: string;
  agent: string;
  current: boolean;
}

export function sessionsPart(desk: Desk): HTMLElement {
  const list: List<Session> = new List<Session>(desk.client, {
    caption: WORDS.signIns,
    path: 'logins',
    empty: WORDS.noSignIns,
    columns: [
      { title: WORDS.since, cell: each => shown(each.created) },
      { title: WORDS.lastUsed, cell: each => shown(each.last_seen) },
      { title: WORDS.until, cell: each => shown(each.ends) },
      { title: WORDS.from, cell: each => each.address },
      { title: WORDS.browser, cell: each => h('small', {}, each.agent) },
      {
        title: WORDS.act,
        cell: each =>
          each.current
            ? WORDS.thisBrowser
            : h(
                'button',
                {
                  type: 'button',
                  'aria-label': `${WORDS.signOut}: ${each.address}, ${shown(each.created)}`,
                  onclick: () =>
                    void list.say.trying(async () => {
                      await desk.client.delete(`logins/${each.id}`);
                      await list.reload();
                    })
                },
                WORDS.signOut
              )
      }
    ]
  });
  void list.reload();
  return list.node;
}
