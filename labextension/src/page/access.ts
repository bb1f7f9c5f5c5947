/** The access page: tabs, each of which asks for what it shows as whoever looks at it. */
import { fill, h } from '../dom.js';
import { viewedSentence } from '../view.js';
import { WORDS } from '../words.js';
import { AUDIT } from './audit.js';
import type { Desk, Tab } from './desk.js';
import { EXPLAIN } from './explain.js';
import { GIVEN } from './given.js';
import { LIVE } from './live.js';
import { MAP } from './map.js';
import { MINE } from './mine.js';
import { PEOPLE } from './people.js';
import { POLICY } from './policy.js';
import { REACH } from './reach.js';
import { REQUESTS } from './requests.js';

const TABS: readonly Tab[] = [
  MINE,
  GIVEN,
  PEOPLE,
  LIVE,
  REQUESTS,
  AUDIT,
  POLICY,
  EXPLAIN,
  MAP,
  REACH
];

/** Which tab is open, kept where the page is: in an address, or in a widget. */
export interface Place {
  read: () => string;
  go: (at: string) => void;
}

/** The page in `root`; the answer opens the tab that `place` names, again after a change. */
export function accessPage(root: HTMLElement, given: Omit<Desk, 'go'>, place: Place): () => void {
  const desk: Desk = { ...given, go: place.go };
  const tabs = TABS.filter(tab => tab.shown(desk));
  const panel = h('div', { role: 'tabpanel', tabindex: '0', id: 'authz-panel' });
  const buttons = tabs.map(tab =>
    h(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `authz-tab-${tab.id}`,
        'aria-controls': panel.id,
        onclick: () => {
          place.go(tab.id);
        },
        onkeydown: event => {
          step(event as KeyboardEvent, buttons);
        }
      },
      tab.title
    )
  );
  const { me } = desk;
  const viewed = h('p', { role: 'status', class: 'authz-quiet' });
  const stop = desk.standings.onChange(() => {
    if (root.isConnected) {
      fill(viewed, viewedSentence(desk.standings.me ?? me));
    } else {
      stop();
    }
  });
  fill(viewed, viewedSentence(me));
  fill(
    root,
    h(
      'header',
      {},
      h('h1', {}, WORDS.pageTitle),
      h('p', { class: 'authz-quiet' }, me.principal.display_name),
      viewed,
      me.mode === 'shadow' ? h('p', { role: 'note', class: 'authz-shadow' }, WORDS.shadow) : null
    ),
    h('div', { role: 'tablist', 'aria-label': WORDS.pageTitle }, ...buttons),
    panel
  );
  return () => {
    const [id = '', ...rest] = place.read().split('/');
    const at = Math.max(
      0,
      tabs.findIndex(tab => tab.id === id)
    );
    buttons.forEach((button, n) => {
      button.setAttribute('aria-selected', String(n === at));
      button.tabIndex = n === at ? 0 : -1;
    });
    const tab = tabs[at];
    if (tab) {
      panel.setAttribute('aria-labelledby', `authz-tab-${tab.id}`);
      const now = { ...desk, me: desk.standings.me ?? me };
      fill(panel, tab.draw(now, rest.join('/')));
    }
  };
}

/** The title of the tab that `at` names, for a window's. */
export function titleOf(at: string): string {
  return TABS.find(tab => tab.id === at.split('/')[0])?.title ?? WORDS.tabs.mine;
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
