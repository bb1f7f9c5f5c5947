/** Grants: who has which level on what, for those who may know. */
import { fill, h, labelled } from '../dom.js';
import type { Grant } from '../grants.js';
import { holds, take } from '../grants.js';
import { List } from '../list.js';
import { refusedBecause } from '../me.js';
import { Share } from '../share.js';
import { LEVELS } from '../vocabulary.js';
import { thing, WORDS } from '../words.js';
import type { Desk, Tab } from './desk.js';
import { leave, where } from './mine.js';

export const GIVEN: Tab = {
  id: 'grants',
  title: WORDS.tabs.grants,
  shown: () => true,
  draw: (desk, at) => {
    const list: List<Grant> = new List<Grant>(desk.client, {
      caption: WORDS.tabs.grants,
      path: 'grants',
      empty: WORDS.noGrants,
      filters: [
        { name: 'q', label: WORDS.search },
        { name: 'level', label: WORDS.level, values: LEVELS.map(each => each.level) },
        { name: 'ends_before', label: WORDS.endsBefore, moment: true }
      ],
      columns: [
        { title: WORDS.who, cell: each => each.principal },
        { title: WORDS.level, cell: each => each.level },
        { title: WORDS.where, cell: each => where(desk, each.resource), long: true },
        { title: WORDS.until, cell: each => holds(each) },
        { title: WORDS.givenBy, cell: each => each.granted_by ?? '' },
        {
          title: WORDS.act,
          cell: each =>
            each.source === 'store' ? away(desk, list, each) : h('small', {}, each.source)
        }
      ]
    });
    void list.reload();
    const resource = h('input', {
      type: 'text',
      value: at === '' ? 'contents:/' : at,
      maxlength: 4000
    });
    const opened = h('div');
    const open = (): void => {
      const share = new Share(desk.client, desk.standings, resource.value.trim(), sentence =>
        desk.sure(WORDS.everyoneTitle, sentence, WORDS.everyoneYes)
      );
      void share.open().then(() => {
        fill(opened, h('h3', {}, WORDS.shareTitle(thing(resource.value.trim()))), share.node);
      });
    };
    if (at !== '') {
      open();
    }
    return h(
      'div',
      {},
      h(
        'form',
        {
          class: 'authz-row',
          onsubmit: event => {
            event.preventDefault();
            open();
          }
        },
        labelled(WORDS.shareWhat, resource),
        h('div', { class: 'authz-field' }, h('button', { type: 'submit' }, WORDS.share))
      ),
      opened,
      h('h3', {}, WORDS.tabs.grants),
      list.node
    );
  }
};

/** The button that takes a grant away, for whoever may; one's own can always be left. */
function away(desk: Desk, list: List<Grant>, grant: Grant): HTMLElement {
  const cell = h('span');
  const offer = (word: string, act: () => void): void => {
    const label = `${word}: ${grant.principal}, ${grant.resource}`;
    cell.append(h('button', { type: 'button', 'aria-label': label, onclick: act }, word));
  };
  if (grant.principal === desk.me.principal.name) {
    offer(WORDS.leave, () => void leave(desk, list, grant));
    return cell;
  }
  void desk.standings.of(grant.resource).then(standing => {
    if (refusedBecause(standing, 'share') === null) {
      offer(
        WORDS.take,
        () =>
          void list.say.trying(async () => {
            await take(desk.client, grant);
            await list.reload();
          })
      );
    }
  });
  return cell;
}
