/** Links that hand out a level for a time: made, shown once, counted, removed. */
import type { Client, Page } from './client.js';
import { Refused } from './client.js';
import { fill, h, labelled } from './dom.js';
import type { LevelOffer } from './grants.js';
import { endBy } from './grants.js';
import { meant, shown } from './moments.js';
import { Say } from './say.js';
import { WORDS } from './words.js';

interface Link {
  id: string;
  level: string;
  ends: string;
  uses: number | null;
  used: number;
  /** Whether one need not sign in for it; they only look. */
  guests?: boolean;
}

const SHOWN = 50;

/** A secret that is shown this once, to be copied. */
export function once(text: string, hint: string): HTMLElement {
  const field = h('input', { type: 'text', readonly: true, value: text, class: 'authz-secret' });
  return h(
    'div',
    {},
    labelled(hint, field),
    h(
      'button',
      {
        type: 'button',
        onclick: () => {
          field.select();
          void navigator.clipboard.writeText(text);
        }
      },
      WORDS.copyLink
    )
  );
}

export function linksPart(
  client: Client,
  resource: string,
  offers: readonly LevelOffer[],
  sure: (sentence: string) => Promise<boolean>
): HTMLElement {
  const say = new Say();
  const rows = h('ul', { class: 'authz-links-list' });
  const made = h('div');
  const ends = h('input', { type: 'datetime-local' });
  const given = h('input', { type: 'datetime-local' });
  const latest = h('span', { class: 'authz-quiet' });
  const level = h(
    'select',
    {
      onchange: () => {
        mine();
      }
    },
    ...offers.map(each =>
      h('option', { value: each.level, disabled: !each.allowed, title: each.reason }, each.level)
    )
  );
  level.value = offers.find(each => each.allowed)?.level ?? '';
  const mine = (): void => {
    endBy(
      offers.find(each => each.level === level.value),
      given,
      latest
    );
  };
  mine();
  const uses = h('input', { type: 'number', min: 1, max: 100000 });
  const guests = h('input', { type: 'checkbox' });
  const make = async (wanted: Record<string, unknown>): Promise<{ url: string } | null> => {
    try {
      return await client.post('links', wanted);
    } catch (error) {
      // Going public is asked about once more.
      if (!(error instanceof Refused && error.status === 409 && guests.checked)) {
        throw error;
      }
      return (await sure(error.message))
        ? await client.post('links', { ...wanted, confirm: true })
        : null;
    }
  };
  const refresh = async (): Promise<void> => {
    await say.trying(async () => {
      const page = await client.get<Page<Link>>('links', { resource, limit: SHOWN });
      fill(
        rows,
        ...page.items.map(each =>
          h(
            'li',
            {},
            `${each.level}, ${shown(each.ends)}, ${WORDS.linkUsed(each.used, each.uses)}${each.guests === true ? `, ${WORDS.linkOfGuests}` : ''} `,
            h(
              'button',
              {
                type: 'button',
                'aria-label': `${WORDS.take}: ${each.level}, ${shown(each.ends)}`,
                onclick: () =>
                  void say
                    .trying(async () => {
                      await client.delete(`links/${each.id}`);
                    })
                    .then(refresh)
              },
              WORDS.take
            )
          )
        )
      );
    });
  };
  return h(
    'details',
    {
      ontoggle: event => {
        if ((event.target as HTMLDetailsElement).open) {
          void refresh();
        }
      }
    },
    h('summary', {}, WORDS.links),
    h('p', { class: 'authz-quiet' }, WORDS.linkHint),
    rows,
    h(
      'form',
      {
        onsubmit: event => {
          event.preventDefault();
          void say.trying(async () => {
            const link = await make({
              level: level.value,
              resource,
              ends: meant(ends.value),
              grant_ends: meant(given.value),
              uses: uses.value === '' ? null : Number(uses.value),
              // A server that knows no guests is not asked about them.
              ...(guests.checked ? { guests: true } : {})
            });
            if (!link) {
              return;
            }
            fill(made, once(new URL(link.url, document.baseURI).href, WORDS.linkOnce));
            say.done(WORDS.linkMade);
            await refresh();
          });
        }
      },
      labelled(WORDS.level, level),
      labelled(WORDS.linkHolds, ends),
      labelled(WORDS.linkGives, given, latest),
      labelled(WORDS.linkUses, uses),
      h('p', {}, h('label', {}, guests, ` ${WORDS.linkGuests}`)),
      h('button', { type: 'submit' }, WORDS.linkMake)
    ),
    made,
    say.node
  );
}
