/** Audit: what was refused, permitted and changed; one's own, for administrators all. */
import type { Page } from '../client.js';
import { h } from '../dom.js';
import { List } from '../list.js';
import { shown } from '../moments.js';
import { Say } from '../say.js';
import { WORDS } from '../words.js';
import type { Desk, Tab } from './desk.js';
import { where } from './mine.js';

interface Entry {
  id: string;
  time: string | null;
  kind: string;
  principal: string;
  action?: string;
  resource?: string | null;
  decision?: string;
  door?: string;
  request?: string | null;
}

/** Between two looks while one follows. */
const LOOK = 3_000;

export const AUDIT: Tab = {
  id: 'audit',
  title: WORDS.tabs.audit,
  shown: () => true,
  draw: desk => {
    const say = new Say();
    const kept: Entry[] = [];
    const list: List<Entry> = new List<Entry>(desk.client, {
      caption: WORDS.tabs.audit,
      path: 'audit',
      empty: WORDS.noRecords,
      onPage: (page: Page<Entry> & { servers?: readonly string[] }, first) => {
        kept.splice(first ? 0 : kept.length, first ? kept.length : 0, ...page.items);
        list.offer('server', page.servers ?? []);
      },
      filters: [
        { name: 'q', label: WORDS.search },
        { name: 'action', label: WORDS.action },
        { name: 'outcome', label: WORDS.outcome, values: ['allow', 'deny', 'shadow'] },
        { name: 'server', label: WORDS.ofServer, values: [], none: WORDS.thisServer }
      ],
      columns: [
        { title: WORDS.when, cell: each => shown(each.time, 'medium') },
        { title: WORDS.who, cell: each => each.principal },
        { title: WORDS.kind, cell: each => each.kind },
        { title: WORDS.action, cell: each => each.action ?? '' },
        {
          title: WORDS.where,
          // Of what was refused before it was known what it is about, what was sent.
          cell: each => (each.resource ? where(desk, each.resource) : (each.request ?? '')),
          long: true
        },
        { title: WORDS.outcome, cell: each => outcome(desk, each) },
        { title: WORDS.door, cell: each => each.door ?? '' }
      ]
    });
    void list.reload();
    const follow = h('input', { type: 'checkbox' });
    const timer = setInterval(() => {
      if (!list.node.isConnected) {
        clearInterval(timer);
      } else if (follow.checked && !document.hidden) {
        void list.reload();
      }
    }, LOOK);
    return h(
      'div',
      {},
      h(
        'p',
        { class: 'authz-row' },
        h('label', {}, follow, ` ${WORDS.follow}`),
        h(
          'button',
          {
            type: 'button',
            onclick: () => {
              save(kept);
            }
          },
          WORDS.download
        ),
        desk.me.abilities.administer
          ? h(
              'button',
              {
                type: 'button',
                onclick: () =>
                  void say.trying(async () => {
                    const found = await desk.client.get<{
                      whole: boolean;
                      records: number;
                      problem: string | null;
                    }>('audit/verify');
                    if (found.whole) {
                      say.done(WORDS.whole(found.records));
                    } else {
                      say.failed(WORDS.notWhole(found.problem ?? ''));
                    }
                  })
              },
              WORDS.verify
            )
          : null
      ),
      say.node,
      list.node
    );
  }
};

/** How it was decided; of what was denied also the way to why. */
function outcome(desk: Desk, entry: Entry): HTMLElement | string {
  const { id, decision = entry.kind === 'denial' ? 'deny' : '' } = entry;
  return decision !== 'deny' || entry.decision === undefined || id === ''
    ? decision
    : h(
        'span',
        {},
        `${decision} `,
        h(
          'button',
          {
            type: 'button',
            'aria-label': `${WORDS.explain}: ${id}`,
            onclick: () => {
              desk.go(`explain/${id}`);
            }
          },
          WORDS.explain
        )
      );
}

/** Hand what is shown to the browser as a file, a record a line. */
function save(entries: readonly Entry[]): void {
  const text = entries.map(each => `${JSON.stringify(each)}\n`).join('');
  const address = URL.createObjectURL(new Blob([text], { type: 'application/x-ndjson' }));
  h('a', { href: address, download: 'audit.jsonl' }).click();
  URL.revokeObjectURL(address);
}
