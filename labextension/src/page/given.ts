/** Grants: who has which level on what, for those who may know. */
import { fill, h, labelled } from '../dom.js';
import type { Grant } from '../grants.js';
import { holds, take } from '../grants.js';
import { List } from '../list.js';
import { Share } from '../share.js';
import { LEVELS } from '../vocabulary.js';
import { WORDS } from '../words.js';
import type { Tab } from './desk.js';
import { where } from './mine.js';

export const GIVEN: Tab = {
  id: 'grants',
  title: WORDS.tabs.grants,
  shown: () => true,
  draw: (desk, at) => {
    const list = new List<Grant>(desk.client, {
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
            each.source === 'store'
              ? h(
                  'button',
                  {
                    type: 'button',
                    'aria-label': `${WORDS.take}: ${each.principal}, ${each.resource}`,
                    onclick: () =>
                      void list.say.trying(async () => {
                        await take(desk.client, each);
                        await list.reload();
                      })
                  },
                  WORDS.take
                )
              : h('small', {}, each.source)
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
        fill(opened, h('h3', {}, WORDS.shareTitle(resource.value)), share.node);
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
