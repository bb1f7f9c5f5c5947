/** Map: a folder tree, each entry marked with what one can do there. */
import type { Client } from '../client.js';
import { sentence } from '../client.js';
import { fill, h } from '../dom.js';
import { contents } from '../me.js';
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
    void folder(desk, '', tree);
    return h('div', {}, h('p', {}, WORDS.mapHint), tree);
  }
};

/** Draw what is in the folder at `path` into `into`. */
async function folder(desk: Desk, path: string, into: HTMLElement): Promise<void> {
  fill(into, h('p', { role: 'status' }, WORDS.loading));
  let entries: Entry[];
  try {
    entries = await listing(desk.client, path);
  } catch (error) {
    fill(into, h('p', { class: 'authz-say', 'data-kind': 'failed' }, sentence(error)));
    return;
  }
  const rows = await Promise.all(
    entries.map(async each => {
      const standing = await desk.standings.of(contents(each.path));
      const level = standing?.level ?? null;
      const mark = h(
        'span',
        { class: 'authz-level', 'data-level': level ?? 'none' },
        level ?? WORDS.noLevelWord
      );
      if (each.type !== 'directory') {
        return h('li', {}, where(desk, contents(each.path)), mark);
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
                void folder(desk, each.path, below);
              }
            }
          },
          h('summary', {}, each.name, mark),
          below
        )
      );
    })
  );
  fill(into, rows.length === 0 ? h('p', {}, WORDS.emptyFolder) : h('ul', {}, ...rows));
}

async function listing(client: Client, path: string): Promise<Entry[]> {
  const { json } = await client.plain(
    `api/contents/${path.split('/').map(encodeURIComponent).join('/')}?type=directory`
  );
  const content = (json as { content?: Entry[] | null }).content ?? [];
  return content.sort((a, b) => a.name.localeCompare(b.name));
}
