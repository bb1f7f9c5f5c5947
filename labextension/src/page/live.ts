/** Live doors: who is connected to what at this moment, and how to end it. */
import { h } from '../dom.js';
import { List } from '../list.js';
import { shown } from '../moments.js';
import { WORDS } from '../words.js';
import type { Desk, Tab } from './desk.js';
import { where } from './mine.js';

const KINDS: Partial<Record<string, string>> = WORDS.doorKinds;

interface Door {
  id: string;
  principal: string;
  token: boolean;
  resource: string | null;
  within: string | null;
  since: string | null;
  address: string | null;
  allowed: boolean;
  mine: boolean;
}

export const LIVE: Tab = {
  id: 'live',
  title: WORDS.tabs.live,
  shown: () => true,
  draw: desk => {
    const list: List<Door> = new List<Door>(desk.client, {
      caption: WORDS.tabs.live,
      path: 'live',
      empty: WORDS.noDoors,
      filters: [{ name: 'q', label: WORDS.search }],
      columns: [
        {
          title: WORDS.who,
          cell: each => (each.token ? `${each.principal} ${WORDS.byToken}` : each.principal)
        },
        { title: WORDS.connectedTo, cell: each => what(desk, each) },
        { title: WORDS.since, cell: each => shown(each.since) },
        { title: WORDS.from, cell: each => each.address ?? '' },
        {
          title: WORDS.state,
          cell: each => (each.allowed ? WORDS.doorOpen : WORDS.doorRefuses)
        },
        {
          title: WORDS.act,
          cell: each =>
            h(
              'button',
              {
                type: 'button',
                'aria-label': `${WORDS.disconnect}: ${each.principal}, ${each.resource ?? ''}`,
                onclick: () => void disconnect(desk, list, each)
              },
              WORDS.disconnect
            )
        }
      ]
    });
    void list.reload();
    // A change of the policy may have closed some.
    const stop = desk.standings.onChange(() => {
      if (list.node.isConnected) {
        void list.reload();
      } else {
        stop();
      }
    });
    return h(
      'div',
      {},
      h('p', {}, desk.me.abilities.administer ? WORDS.doorsHint : WORDS.ownDoorsHint),
      h(
        'p',
        {},
        h('button', { type: 'button', onclick: () => void list.reload() }, WORDS.lookAgain)
      ),
      list.node
    );
  }
};

function what(desk: Desk, door: Door): HTMLElement | string {
  const kind = KINDS[(door.resource ?? '').split(':', 1)[0] ?? ''] ?? door.resource ?? '';
  return door.within === null
    ? kind
    : h('span', {}, `${kind} ${WORDS.doorOf} `, where(desk, door.within));
}

async function disconnect(desk: Desk, list: List<Door>, door: Door): Promise<void> {
  const yes =
    door.mine ||
    (await desk.sure(
      WORDS.disconnectTitle(door.principal),
      WORDS.disconnectSentence,
      WORDS.disconnect
    ));
  if (yes) {
    await list.say.trying(async () => {
      await desk.client.delete(`live/${door.id}`);
      await list.reload();
    });
  }
}
