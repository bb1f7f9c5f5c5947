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

function usedSentence(link: Link): string {
  return link.uses === null ? WORDS.linkUsed(link.used) : WORDS.linkUsedOf(link.used, link.uses);
}

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

/** What a new link is to be; what is not named the server chooses. */
export interface Wanted {
  level: string;
  /** Until when somebody can take it. */
  ends?: string | null;
  /** Until when what it gives holds. */
  grant_ends?: string | null;
  uses?: number | null;
  guests?: boolean;
}

/** The links that lead to `resource`, and making one; folded, so that it is in nobody's way. */
export class Links {
  readonly node: HTMLDetailsElement;
  private readonly say = new Say();
  private readonly rows = h('ul', { class: 'authz-links-list' });
  private readonly made = h('div');

  constructor(
    private readonly client: Client,
    private readonly resource: string,
    offers: readonly LevelOffer[],
    private readonly sure: (sentence: string) => Promise<boolean>
  ) {
    this.node = h(
      'details',
      {
        ontoggle: () => {
          if (this.node.open) {
            void this.refresh();
          }
        }
      },
      h('summary', {}, WORDS.links),
      h('p', { class: 'authz-quiet' }, WORDS.linkHint),
      this.made,
      this.say.node,
      this.rows,
      this.form(offers)
    );
  }

  /** Make a link and show it, which happens this once; whether there is one. */
  async make(wanted: Wanted): Promise<boolean> {
    let there = false;
    this.node.open = true;
    await this.say.trying(async () => {
      const link = await this.post({ ...wanted, resource: this.resource });
      if (link) {
        there = true;
        fill(this.made, once(new URL(link.url, document.baseURI).href, WORDS.once));
        this.say.done(WORDS.linkMade);
        await this.refresh();
        // It is shown this once, wherever the page has been scrolled to.
        this.made.querySelector('input')?.focus();
        this.made.scrollIntoView({ block: 'center' });
      }
    });
    return there;
  }

  private async post(wanted: Wanted & { resource: string }): Promise<{ url: string } | null> {
    try {
      return await this.client.post('links', wanted);
    } catch (error) {
      // Going public is asked about once more.
      if (!(error instanceof Refused && error.status === 409 && wanted.guests === true)) {
        throw error;
      }
      return (await this.sure(error.message))
        ? await this.client.post('links', { ...wanted, confirm: true })
        : null;
    }
  }

  private async refresh(): Promise<void> {
    await this.say.trying(async () => {
      const { client, resource } = this;
      const page = await client.get<Page<Link>>('links', { resource, limit: SHOWN });
      fill(this.rows, ...page.items.map(each => this.row(each)));
    });
  }

  private row(link: Link): HTMLElement {
    const said = [link.level, shown(link.ends), usedSentence(link)];
    if (link.guests === true) {
      said.push(WORDS.linkOfGuests);
    }
    return h(
      'li',
      {},
      `${said.join(', ')} `,
      h(
        'button',
        {
          type: 'button',
          'aria-label': `${WORDS.take}: ${link.level}, ${shown(link.ends)}`,
          onclick: () =>
            void this.say
              .trying(() => this.client.delete(`links/${link.id}`))
              .then(() => this.refresh())
        },
        WORDS.take
      )
    );
  }

  private form(offers: readonly LevelOffer[]): HTMLElement {
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
    return h(
      'form',
      {
        onsubmit: event => {
          event.preventDefault();
          void this.make({
            level: level.value,
            ends: meant(ends.value),
            grant_ends: meant(given.value),
            uses: uses.value === '' ? null : Number(uses.value),
            // A server that knows no guests is not asked about them.
            ...(guests.checked ? { guests: true } : {})
          });
        }
      },
      labelled(WORDS.level, level),
      labelled(WORDS.linkHolds, ends),
      labelled(WORDS.linkGives, given, latest),
      labelled(WORDS.linkUses, uses),
      h('p', {}, h('label', {}, guests, ` ${WORDS.linkGuests}`)),
      h('button', { type: 'submit' }, WORDS.linkMake)
    );
  }
}
