/** Who has access to something, and giving, changing and taking it back. */
import { levelSentence } from './about.js';
import type { Client, Page } from './client.js';
import { inheritedFrom } from './decision.js';
import { fill, h, labelled, redraw } from './dom.js';
import { askPart } from './ask.js';
import { Links } from './links.js';
import type { Grant, LevelOffer } from './grants.js';
import { change, endBy, give, holds, take } from './grants.js';
import type { Standings } from './me.js';
import { refusedBecause } from './me.js';
import { meant, shown, typed } from './moments.js';
import { Say } from './say.js';
import { WhoField } from './who.js';
import { WORDS } from './words.js';

/** Rows that are shown at once; a folder that more have access to is searched on the page. */
const SHOWN = 50;
/** Rows that are drawn at a time: a field for a moment is slow to make, and the first rows
 * and the form are seen and used while the rest follows. */
const DRAWN = 8;

/** Where the keyboard begins: what somebody types in or presses, and nothing that is folded. */
export const FIRST = ['input', 'select', 'button'].map(each => `${each}:not(details *)`).join();

/** The share dialog's body, also the access page's. */
export class Share {
  readonly node = h('div', { class: 'authz authz-share' });
  private readonly say = new Say();
  private readonly rows = h('div');
  private offers: LevelOffer[] = [];

  constructor(
    private readonly client: Client,
    private readonly standings: Standings,
    private readonly resource: string,
    private readonly sure: (sentence: string) => Promise<boolean>
  ) {}

  /** Ask the server and draw; what fails is said in the dialog. */
  async open(): Promise<this> {
    // At once: each is a way to the server and back.
    const grants = this.askGrants();
    const standing = await this.standings.of(this.resource);
    const why = refusedBecause(standing, 'share');
    const seesAll = refusedBecause(standing, 'review') === null;
    const offers = why === null ? this.askOffers() : null;
    const page = await grants;
    await offers;
    const links =
      why === null && this.offers.length > 0
        ? new Links(this.client, this.resource, this.offers, this.sure)
        : null;
    fill(
      this.node,
      h('p', { class: 'authz-quiet' }, this.resource),
      links ? this.form(links) : null,
      why === null ? null : h('p', {}, seesAll ? why : `${why} ${WORDS.onlyYours}`),
      this.say.node,
      h('h3', {}, WORDS.whoHasAccess),
      this.rows,
      links ? links.node : askPart(this.client, this.resource, standing?.level ?? null),
      copyLink(this.client, this.resource, this.say)
    );
    this.show(page);
    return this;
  }

  private async askOffers(): Promise<void> {
    await this.say.trying(async () => {
      const found = await this.client.get<{ items: LevelOffer[] }>('levels', {
        resource: this.resource
      });
      this.offers = found.items;
    });
  }

  /** The grants that reach here; null where the server did not say, which is shown. */
  private async askGrants(): Promise<Page<Grant> | null> {
    let found: Page<Grant> | null = null;
    await this.say.trying(async () => {
      found = await this.client.get<Page<Grant>>('grants', {
        resource: this.resource,
        inherited: '1',
        limit: SHOWN
      });
    });
    return found;
  }

  private show(page: Page<Grant> | null): void {
    if (page) {
      const draw = (): void => {
        fill(
          this.rows,
          page.items.length === 0 ? h('p', {}, WORDS.nobodyElse) : this.table(page.items),
          page.next === null ? null : h('p', {}, WORDS.moreOnPage)
        );
      };
      redraw(this.rows, draw, () => this.node.querySelector(FIRST));
    }
  }

  private async refresh(): Promise<void> {
    this.show(await this.askGrants());
  }

  private form(links: Links): HTMLElement {
    const who = new WhoField(this.client, ['people', 'groups', 'everyone', 'link']);
    const hint = h('span', { class: 'authz-quiet' });
    const level = h(
      'select',
      {
        onchange: () => {
          say();
        }
      },
      ...this.offers.map(each =>
        h(
          'option',
          { value: each.level, disabled: !each.allowed, title: each.reason || each.sentence },
          each.allowed ? each.level : `${each.level} – ${each.reason}`
        )
      )
    );
    const first = this.offers.find(each => each.allowed);
    level.value = first?.level ?? '';
    const ends = h('input', { type: 'datetime-local' });
    const latest = h('span', { class: 'authz-quiet' });
    const say = (): void => {
      fill(hint, `${WORDS.they} ${levelSentence(level.value)}.`);
      endBy(
        this.offers.find(each => each.level === level.value),
        ends,
        latest
      );
    };
    say();
    const uses = h('input', { type: 'number', min: 1, max: 100000 });
    const add = h('button', { type: 'submit', class: 'authz-main' }, WORDS.add);
    return h(
      'form',
      {
        class: 'authz-give',
        onsubmit: event => {
          event.preventDefault();
          if (who.principal === '') {
            this.say.failed(WORDS.nameFirst);
            who.input.focus();
            return;
          }
          add.disabled = true;
          let next: HTMLElement | null = who.input;
          void this.say
            .trying(async () => {
              const [grant_ends, often] = [meant(ends.value), uses.value];
              if (who.isLink) {
                this.say.clear();
                const asked = { level: level.value, grant_ends };
                if (await links.make({ ...asked, uses: often === '' ? null : Number(often) })) {
                  who.input.value = '';
                  uses.value = '';
                  next = null;
                }
                return;
              }
              const given = await give(
                this.client,
                {
                  principal: who.principal,
                  level: level.value,
                  resource: this.resource,
                  ends: grant_ends,
                  ...(often === '' ? {} : { uses: Number(often) })
                },
                this.sure
              );
              if (given) {
                this.say.done(WORDS.given(given.principal, given.level));
                who.input.value = '';
                uses.value = '';
                await this.refresh();
              }
            })
            .then(() => {
              add.disabled = false;
              next?.focus();
            });
        }
      },
      labelled(WORDS.shareWith, who.input),
      who.choices,
      labelled(WORDS.level, level, hint),
      labelled(WORDS.until, ends, latest),
      labelled(WORDS.uses, uses),
      h('div', { class: 'authz-field' }, add)
    );
  }

  private table(grants: readonly Grant[]): HTMLElement {
    return h(
      'table',
      { class: 'authz-grants' },
      h('caption', { class: 'authz-unseen' }, WORDS.whoHasAccess),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ...[WORDS.who, WORDS.level, WORDS.until, WORDS.givenBy, WORDS.act].map(title =>
            h('th', { scope: 'col' }, title)
          )
        )
      ),
      this.body(grants)
    );
  }

  private body(grants: readonly Grant[]): HTMLElement {
    const body = h('tbody');
    const draw = (from: number): void => {
      body.append(...grants.slice(from, from + DRAWN).map(each => this.row(each)));
      if (from + DRAWN < grants.length) {
        setTimeout(() => {
          draw(from + DRAWN);
        });
      }
    };
    draw(0);
    return body;
  }

  private row(grant: Grant): HTMLElement {
    const mine = grant.principal === this.standings.me?.principal.name;
    const here = !grant.inherited_from && grant.source === 'store';
    const may = here && this.offers.some(each => each.level === grant.level && each.allowed);
    // Browsers show what is pointed at, and that is never a choice in a list.
    const can = levelSentence(grant.level);
    const sentence = can === '' ? null : `${WORDS.they} ${can}.`;
    const level = may
      ? h(
          'select',
          {
            'aria-label': WORDS.levelOf(grant.principal),
            title: sentence,
            onchange: event => {
              const chosen = (event.target as HTMLSelectElement).value;
              this.act(async () => {
                await change(this.client, grant, { level: chosen });
                this.say.done(WORDS.given(grant.principal, chosen));
              });
            }
          },
          ...this.offers.map(each =>
            h(
              'option',
              {
                value: each.level,
                disabled: !each.allowed,
                selected: each.level === grant.level,
                title: each.reason || each.sentence
              },
              each.level
            )
          )
        )
      : h('span', { title: sentence }, grant.level);
    const ends = may
      ? h('input', {
          type: 'datetime-local',
          'aria-label': WORDS.untilOf(grant.principal),
          value: typed(grant.ends),
          onchange: event => {
            const until = meant((event.target as HTMLInputElement).value);
            this.act(async () => {
              await change(this.client, grant, { ends: until });
              this.say.done(WORDS.endsAt(grant.principal, shown(until)));
            });
          }
        })
      : holds(grant);
    const left = grant.uses_left ?? null;
    const away = (word: string): HTMLElement =>
      h(
        'button',
        {
          type: 'button',
          'aria-label': `${word}: ${grant.principal}`,
          onclick: () => {
            this.act(async () => {
              await take(this.client, grant);
              this.say.done(WORDS.taken(grant.principal));
            });
          }
        },
        word
      );
    const origin =
      grant.inherited_from !== null && grant.inherited_from !== undefined
        ? inheritedFrom(grant.inherited_from)
        : grant.source === 'store'
          ? null
          : WORDS.fromFile(grant.source);
    return h(
      'tr',
      { 'data-principal': grant.principal },
      h('th', { scope: 'row' }, grant.principal, origin === null ? null : h('small', {}, origin)),
      h('td', { 'data-label': WORDS.level }, level),
      h(
        'td',
        { 'data-label': WORDS.until },
        ends,
        may && left !== null ? h('small', {}, WORDS.usesLeft(left)) : null
      ),
      h('td', { 'data-label': WORDS.givenBy }, grant.granted_by ?? ''),
      h(
        'td',
        { 'data-label': WORDS.act },
        may ? away(WORDS.take) : mine && here ? away(WORDS.leave) : null
      )
    );
  }

  private act(act: () => Promise<void>): void {
    this.say.clear();
    // After a failure, too: what is shown must be what the server has.
    void this.say.trying(act).then(() => this.refresh());
  }
}

/** Where somebody who has access opens `resource`; null for what is no file. */
export function addressOf(client: Client, resource: string): string | null {
  const path = /^contents:\/(.+)$/.exec(resource)?.[1];
  return path === undefined
    ? null
    : new URL(
        `${client.base}lab/tree/${path.split('/').map(encodeURIComponent).join('/')}`,
        document.baseURI
      ).href;
}

function copyLink(client: Client, resource: string, say: Say): HTMLElement | null {
  const address = addressOf(client, resource);
  return address === null
    ? null
    : h(
        'p',
        {},
        h(
          'button',
          {
            type: 'button',
            onclick: () =>
              void say.trying(async () => {
                await navigator.clipboard.writeText(address);
                say.done(WORDS.copied);
              })
          },
          WORDS.copyLink
        ),
        h('span', { class: 'authz-quiet' }, ` ${WORDS.copyHint}`)
      );
}
