/** The access page: the same parts as in JupyterLab, for every front end and none. */
import { Client } from '../client.js';
import { fill, h } from '../dom.js';
import { Standings } from '../me.js';
import { watch } from '../watch.js';
import { WORDS } from '../words.js';
import { AUDIT } from './audit.js';
import type { Desk, Tab } from './desk.js';
import { EXPLAIN } from './explain.js';
import { GIVEN } from './given.js';
import { MAP } from './map.js';
import { MINE } from './mine.js';
import { PEOPLE } from './people.js';
import { POLICY } from './policy.js';
import { REQUESTS } from './requests.js';
import { sure } from './sure.js';

const TABS: readonly Tab[] = [MINE, GIVEN, PEOPLE, REQUESTS, AUDIT, POLICY, EXPLAIN, MAP];

async function begin(root: HTMLElement): Promise<void> {
  const client = new Client(root.dataset.base ?? '/');
  const standings = new Standings(client);
  const me = await standings.whoAmI();
  if (!me) {
    fill(root, h('p', { role: 'alert' }, WORDS.noSuchServer));
    return;
  }
  const desk: Desk = { client, standings, me, sure };
  const tabs = TABS.filter(tab => tab.shown(desk));
  const panel = h('div', { role: 'tabpanel', tabindex: '0' });
  const buttons = tabs.map(tab =>
    h(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `tab-${tab.id}`,
        'aria-controls': 'panel',
        onclick: () => {
          location.hash = tab.id;
        },
        onkeydown: event => {
          step(event as KeyboardEvent, buttons);
        }
      },
      tab.title
    )
  );
  panel.id = 'panel';
  const open = (): void => {
    const at = Math.max(
      0,
      tabs.findIndex(tab => `#${tab.id}` === location.hash)
    );
    buttons.forEach((button, n) => {
      button.setAttribute('aria-selected', String(n === at));
      button.tabIndex = n === at ? 0 : -1;
    });
    const tab = tabs[at];
    if (tab) {
      panel.setAttribute('aria-labelledby', `tab-${tab.id}`);
      document.title = `${tab.title} · ${WORDS.pageTitle}`;
      fill(panel, tab.draw({ ...desk, me: standings.me ?? me }));
    }
  };
  fill(
    root,
    h(
      'header',
      {},
      h('h1', {}, WORDS.pageTitle),
      h('p', { class: 'authz-quiet' }, me.principal.display_name),
      me.mode === 'shadow' ? h('p', { role: 'note', class: 'authz-shadow' }, WORDS.shadow) : null
    ),
    h('div', { role: 'tablist', 'aria-label': WORDS.pageTitle }, ...buttons),
    panel
  );
  window.addEventListener('hashchange', open);
  open();
  void watch(client, standings, new AbortController().signal);
}

/** Arrow keys lead from tab to tab. */
function step(event: KeyboardEvent, buttons: readonly HTMLButtonElement[]): void {
  const now = buttons.indexOf(event.target as HTMLButtonElement);
  const next = {
    ArrowRight: now + 1,
    ArrowLeft: now - 1 + buttons.length,
    Home: 0,
    End: buttons.length - 1
  }[event.key];
  const button = next === undefined ? undefined : buttons[next % buttons.length];
  if (button) {
    event.preventDefault();
    button.focus();
    button.click();
  }
}

const root = document.getElementById('authz');
if (root) {
  void begin(root);
}
