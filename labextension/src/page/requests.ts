/** Requests for access: one's own, and those one can answer. */
import { h } from '../dom.js';
import { List } from '../list.js';
import { meant, shown } from '../moments.js';
import { WORDS } from '../words.js';
import type { Desk, Tab } from './desk.js';
import { where } from './mine.js';

interface Wish {
  id: string;
  principal: string;
  level: string;
  resource: string;
  note?: string;
  created: string;
  state: string;
  answer?: string;
}

export const REQUESTS: Tab = {
  id: 'requests',
  title: WORDS.tabs.requests,
  shown: () => true,
  draw: desk => {
    const list: List<Wish> = new List<Wish>(desk.client, {
      caption: WORDS.tabs.requests,
      path: 'requests',
      empty: WORDS.noRequests,
      filters: [
        {
          name: 'state',
          label: WORDS.state,
          values: ['open', 'approved', 'refused', 'withdrawn']
        }
      ],
      columns: [
        { title: WORDS.when, cell: each => shown(each.created) },
        { title: WORDS.who, cell: each => each.principal },
        { title: WORDS.wants, cell: each => each.level },
        {
          title: WORDS.where,
          cell: each =>
            h(
              'span',
              {},
              where(desk, each.resource),
              each.note ? h('small', {}, each.note) : null
            ),
          long: true
        },
        {
          title: WORDS.state,
          cell: each => [each.state, each.answer].filter(Boolean).join(': ')
        },
        { title: WORDS.act, cell: each => answers(desk, list, each) }
      ]
    });
    void list.reload();
    return list.node;
  }
};

function answers(desk: Desk, list: List<Wish>, wish: Wish): HTMLElement | null {
  if (wish.state !== 'open') {
    return null;
  }
  const note = h('input', {
    type: 'text',
    maxlength: 200,
    placeholder: WORDS.answerNote,
    'aria-label': `${WORDS.answerNote}: ${wish.principal}, ${wish.resource}`
  });
  const answer = (state: string, ends?: string | null): void =>
    void list.say
      .trying(async () => {
        await desk.client.patch(`requests/${wish.id}`, {
          state,
          ...(ends === undefined ? {} : { ends }),
          ...(note.value.trim() === '' ? {} : { note: note.value.trim() })
        });
      })
      .then(done => (done ? list.reload() : undefined));
  const button = (word: string, act: () => void): HTMLElement =>
    h(
      'button',
      {
        type: 'button',
        'aria-label': `${word}: ${wish.principal}, ${wish.resource}`,
        onclick: act
      },
      word
    );
  if (wish.principal === desk.me.principal.name) {
    return button(WORDS.withdraw, () => {
      answer('withdrawn');
    });
  }
  const ends = h('input', {
    type: 'datetime-local',
    'aria-label': `${WORDS.until}: ${wish.principal}, ${wish.resource}`
  });
  return h(
    'span',
    { class: 'authz-row' },
    ends,
    note,
    button(WORDS.approve, () => {
      answer('approved', meant(ends.value));
    }),
    button(WORDS.refuse, () => {
      answer('refused');
    })
  );
}
