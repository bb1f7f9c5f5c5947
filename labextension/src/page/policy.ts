/** Policy: which files and rules are in force, and why newer ones are not. */
import { fill, h, redraw } from '../dom.js';
import { shown } from '../moments.js';
import { Say } from '../say.js';
import { WORDS } from '../words.js';
import type { Tab } from './desk.js';

interface Policy {
  revision: number;
  since: string;
  mode: string;
  files: readonly string[];
  /** Those of them that are not in force as they are now; an older server does not say. */
  newer?: readonly string[];
  /** Those that were deleted and still are in force; an older server does not say. */
  gone?: readonly string[];
  rules: readonly { id: string; effect: string; source: string; text: string }[];
  problems: readonly string[];
}

/** Between two looks: that files do not load is no revision that the server would tell of. */
const LOOK = 5_000;

export const POLICY: Tab = {
  id: 'policy',
  title: WORDS.tabs.policy,
  shown: desk => desk.me.abilities.administer,
  draw: desk => {
    const say = new Say();
    const found = h('div');
    let before = '';
    const look = async (): Promise<void> => {
      const policy = await desk.client.get<Policy>('policy');
      const now = JSON.stringify(policy);
      if (now !== before) {
        // Drawn for news alone: somebody reads it, and a rule that was opened stays so.
        before = now;
        redraw(
          found,
          () => {
            fill(found, ...drawn(policy, openIn(found)));
          },
          () => null
        );
      }
      say.clear();
    };
    void say.trying(look);
    const timer = setInterval(() => {
      if (!found.isConnected) {
        clearInterval(timer);
      } else if (!document.hidden) {
        void say.trying(look);
      }
    }, LOOK);
    return h('div', {}, say.node, found);
  }
};

/** The rules whose text is shown. */
function openIn(found: HTMLElement): Set<string | undefined> {
  const open = found.querySelectorAll<HTMLElement>('details[open]');
  return new Set([...open].map(each => each.dataset.rule));
}

function drawn(policy: Policy, open: ReadonlySet<string | undefined>): HTMLElement[] {
  const gone = policy.gone ?? [];
  return [
    h('p', {}, WORDS.inForce(policy.revision, shown(policy.since))),
    policy.mode === 'shadow' ? h('p', { class: 'authz-shadow' }, WORDS.shadow) : h('div'),
    policy.problems.length === 0
      ? h('div')
      : h(
          'div',
          { role: 'alert', class: 'authz-say', 'data-kind': 'failed' },
          h('p', {}, WORDS.problems),
          h('ul', {}, ...policy.problems.map(each => h('li', {}, each)))
        ),
    h('h3', {}, WORDS.files),
    policy.files.length + gone.length === 0
      ? h('p', {}, WORDS.noFiles)
      : h(
          'ul',
          {},
          ...policy.files.map(each => fileOf(policy, each)),
          ...gone.map(each => h('li', {}, each, h('strong', {}, ` – ${WORDS.fileGone}`)))
        ),
    h('h3', {}, WORDS.rules),
    ...policy.rules.map(each =>
      h(
        'details',
        { 'data-rule': each.id, open: open.has(each.id) },
        h('summary', {}, `${each.effect} ${each.id} `, h('small', {}, each.source)),
        h('pre', { tabindex: '0' }, each.text)
      )
    )
  ];
}

function fileOf(policy: Policy, file: string): HTMLElement {
  const newer = policy.newer?.includes(file) === true;
  return h('li', {}, file, newer ? h('strong', {}, ` – ${WORDS.newer}`) : null);
}
