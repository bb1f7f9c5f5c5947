/** Who I am, what I was given, and what I can open. */
import { accountLinks, standingPart, whoPart } from '../about.js';
import { fill, h } from '../dom.js';
import type { Grant } from '../grants.js';
import { holds, take } from '../grants.js';
import { List } from '../list.js';
import { addressOf } from '../share.js';
import { WORDS } from '../words.js';
import { sessionsPart } from './sessions.js';
import { tokensPart } from './tokens.js';
import type { Desk, Tab } from './desk.js';

export const MINE: Tab = {
  id: 'mine',
  title: WORDS.tabs.mine,
  shown: () => true,
  draw: desk => {
    const server = h('div');
    void desk.standings.of('server:').then(standing => {
      if (standing) {
        fill(server, standingPart(WORDS.server, 'server:', standing));
      }
    });
    const grants = new List<Grant>(desk.client, {
      caption: WORDS.yourGrants,
      path: 'grants',
      query: { principal: desk.me.principal.name },
      empty: WORDS.noGrants,
      columns: [
        { title: WORDS.where, cell: each => where(desk, each.resource), long: true },
        { title: WORDS.level, cell: each => each.level },
        { title: WORDS.until, cell: each => holds(each) },
        { title: WORDS.givenBy, cell: each => each.granted_by ?? '' },
        {
          title: WORDS.act,
          cell: each =>
            each.source === 'store'
              ? h(
                  'button',
                  {
                    type: 'button',
                    'aria-label': `${WORDS.leave}: ${each.resource}`,
                    onclick: () => void leave(desk, grants, each)
                  },
                  WORDS.leave
                )
              : null
        }
      ]
    });
    void grants.reload();
    return h(
      'div',
      {},
      whoPart(desk.me),
      server,
      h('h3', {}, WORDS.yourGrants),
      grants.node,
      h('h3', {}, WORDS.yourTokens),
      tokensPart(desk),
      h('h3', {}, WORDS.signIns),
      sessionsPart(desk),
      accountLinks(desk.client, desk.me)
    );
  }
};

/** A resource, as a link where it can be opened, called `name` where it is known by one. */
export function where(desk: Desk, resource: string, name?: string): HTMLElement | string {
  const address = addressOf(desk.client, resource);
  const called = name ?? (resource === 'server:' ? WORDS.things.server : resource);
  return address === null ? called : h('a', { href: address }, called);
}

/** Ask once more, and give back what `grant` gives. */
export async function leave(desk: Desk, list: List<Grant>, grant: Grant): Promise<void> {
  if (await desk.sure(WORDS.leaveTitle, WORDS.leaveSentence(grant.resource), WORDS.leave)) {
    await list.say.trying(async () => {
      await take(desk.client, grant);
      await list.reload();
    });
  }
}
