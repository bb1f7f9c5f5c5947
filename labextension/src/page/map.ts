/** Map: a folder tree, each entry marked with what one can do there. */
import type { Client } from '../client.js';
import { sentence } from '../client.js';
import { fill, h, labelled } from '../dom.js';
import { contents } from '../me.js';
import { Say } from '../say.js';
import { viewAs } from '../view.js';
import { ABILITIES, LEVELS } from '../vocabulary.js';
import { WhoField } from '../who.js';
import { WORDS } from '../words.js';
import type { Desk, Tab } from './desk.js';
import { where } from './mine.js';

interface Entry {
  name: string;
  path: string;
  type: string;
}

export const MAP: Tab = {
  id: 'map',
  title: WORDS.tabs.map,
  shown: () => true,
  draw: desk => {
    const tree = h('div', { class: 'authz-map' });
    const who = new WhoField(desk.client, ['people']);
    who.input.value = desk.me.principal.name;
    void folder(desk, who.principal, '', tree);
    const say = new Say();
    const look = h('div', { class: 'authz-field' });
    void desk.standings.of('server:').then(standing => {
      if (standing?.actions.view_as?.allowed === true) {
        const act = (): void =>
          void say.trying(() => viewAs(desk.client, who.principal, desk.sure));
        look.append(h('button', { type: 'button', onclick: act }, WORDS.viewAs));
      }
    });
    return h(
      'div',
      {},
      h('p', {}, WORDS.mapHint),
      h(
        'form',
        {
          class: 'authz-row',
          onsubmit: event => {
            event.preventDefault();
            void folder(desk, who.principal, '', tree);
          }
        },
        labelled(WORDS.mapOf, who.input),
        who.choices,
        h('div', { class: 'authz-field' }, h('button', { type: 'submit' }, WORDS.mapShow)),
        look
      ),
      say.node,
      tree
    );
  }
};

/** Actions on files, with the level that each needs. */
const ACTIONS = ABILITIES.filter(each => each.type === 'contents');
/** Questions that the server takes at once. */
const MOST = 1000;

/** The level of `who` on each of `resources`: the highest all of whose actions are allowed. */
async function levels(
  desk: Desk,
  who: string,
  resources: readonly string[]
): Promise<(string | null)[]> {
  if (who === desk.me.principal.name) {
    const found = await Promise.all(resources.map(each => desk.standings.of(each)));
    return found.map(each => each?.level ?? null);
  }
  // Whoever manages files only may not ask about the server.
  const asksOfServer = desk.me.abilities.administer;
  const made: (string | null)[] = [];
  const step = Math.floor((MOST - 1) / ACTIONS.length);
  for (let at = 0; at < resources.length; at += step) {
    const some = resources.slice(at, at + step);
    const { decisions } = await desk.client.post<{ decisions: { allowed: boolean }[] }>('check', {
      requests: [
        ...some.flatMap(resource =>
          ACTIONS.map(({ action }) => ({ principal: who, action, resource }))
        ),
        ...(asksOfServer ? [{ principal: who, action: 'administer', resource: 'server:' }] : [])
      ]
    });
    const administers = asksOfServer && decisions.at(-1)?.allowed === true;
    some.forEach((_, n) => {
      const mine = decisions.slice(n * ACTIONS.length, (n + 1) * ACTIONS.length);
      made.push(
        highest(
          mine.map(each => each.allowed),
          administers
        )
      );
    });
  }
  return made;
}

/** The highest level that `allowed`, in the order of the actions, amounts to; of files alone an
 * administrator has no more than a manager. */
export function highest(allowed: readonly boolean[], administers: boolean): string | null {
  if (administers && allowed.every(Boolean)) {
    return 'admin';
  }
  let held: string | null = null;
  for (const { level } of LEVELS) {
    const needed = ACTIONS.flatMap((each, n) => (each.level === level ? [allowed[n]] : []));
    if (needed.length === 0 || !needed.every(each => each === true)) {
      break;
    }
    held = level;
  }
  return held;
}

/** Draw what is in the folder at `path` into `into`. */
async function folder(desk: Desk, who: string, path: string, into: HTMLElement): Promise<void> {
  fill(into, h('p', { role: 'status' }, WORDS.loading));
  let entries: Entry[];
  let held: (string | null)[];
  try {
    entries = await listing(desk.client, path);
    held = await levels(
      desk,
      who,
      entries.map(each => contents(each.path))
    );
  } catch (error) {
    fill(into, h('p', { class: 'authz-say', 'data-kind': 'failed' }, sentence(error)));
    return;
  }
  // Whoever manages files only is not told who administers the server.
  const sure = who === desk.me.principal.name || desk.me.abilities.administer;
  const rows = entries.map((each, n) => {
    const level = held[n] ?? null;
    const mark = h(
      'span',
      { class: 'authz-level', 'data-level': level ?? 'none' },
      level === 'manager' && !sure ? WORDS.atLeast(level) : (level ?? WORDS.noLevelWord)
    );
    if (each.type !== 'directory') {
      return h('li', {}, where(desk, contents(each.path), each.name), mark);
    }
    const below = h('div');
    return h(
      'li',
      {},
      h(
        'details',
        {
          ontoggle: event => {
            if ((event.target as HTMLDetailsElement).open && !below.hasChildNodes()) {
              void folder(desk, who, each.path, below);
            }
          }
        },
        h('summary', {}, each.name, mark),
        below
      )
    );
  });
  fill(into, rows.length === 0 ? h('p', {}, WORDS.emptyFolder) : h('ul', {}, ...rows));
}

async function listing(client: Client, path: string): Promise<Entry[]> {
  const { json } = await client.plain(
    `api/contents/${path.split('/').map(encodeURIComponent).join('/')}?type=directory`
  );
  const content = (json as { content?: Entry[] | null }).content ?? [];
  return content.sort((a, b) => a.name.localeCompare(b.name));
}
