/** `/authz`: the access page for every front end and none. */
import { Client } from '../client.js';
import { fill, h } from '../dom.js';
import { Standings } from '../me.js';
import { viewBar } from '../view.js';
import { watch } from '../watch.js';
import { WORDS } from '../words.js';
import { accessPage, titleOf } from './access.js';
import { sure } from './sure.js';

/** What the address says after its `#`. */
function here(): string {
  const text = location.hash.slice(1);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function begin(root: HTMLElement): Promise<void> {
  const client = new Client(root.dataset.base ?? '/');
  const standings = new Standings(client);
  const me = await standings.whoAmI();
  if (!me) {
    fill(root, h('p', { role: 'alert' }, WORDS.noSuchServer));
    return;
  }
  const bar = viewBar(client, me);
  if (bar) {
    document.body.prepend(bar);
  }
  const open = accessPage(
    root,
    { client, standings, me, sure },
    {
      read: here,
      go: at => {
        location.hash = at;
      }
    }
  );
  const both = (): void => {
    document.title = `${titleOf(here())} · ${WORDS.pageTitle}`;
    open();
  };
  window.addEventListener('hashchange', both);
  both();
  void watch(client, standings, new AbortController().signal);
}

const root = document.getElementById('authz');
if (root) {
  void begin(root);
}
